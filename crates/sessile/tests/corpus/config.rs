//! Any text as a configuration: refused with places and remedies, or shown in full as a text that means the
//! same.

use sessile::Config;

/// The body of the target `config`.
pub(crate) fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Config::parse("tc01.toml", text) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok((config, warnings)) => {
            for warning in &warnings.list {
                assert!(!warnings.place(warning).is_empty() && !warning.message.is_empty());
            }
            let shown = config.effective_toml();
            let again = Config::parse("tc01.toml", &shown);
            let (again, _) = again.unwrap_or_else(|error| panic!("{shown}\nis refused: {error}"));
            assert_eq!(again.effective_toml(), shown, "another meaning");
        }
    }
}
