//! Suggests the known word that is closest to an unknown one.

/// The candidate nearest to `word`, if one is near enough to be a slip of the keyboard; the first of equals.
pub(super) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let tolerated = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words as they stand in a sentence: `` `a`, `b` or `c` ``.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.pop() {
        None => String::new(),
        Some(only) if quoted.is_empty() => only,
        Some(last) => format!("{} or {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{closest, listed};

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let keys = ["frequency", "drop_time", "port", "bind"];
        assert_eq!(closest("drop_tme", keys), Some("drop_time"));
        assert_eq!(closest("Drop-Time", keys), Some("drop_time"));
        assert_eq!(closest("prot", keys), Some("port"));
        assert_eq!(closest("color", keys), None);
        assert_eq!(closest("", keys), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(listed([]), "");
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
