//! The checks over the real tree. Exceptions stand in `known.rs`, each with the reason; one that is not
//! needed fails as well.

mod known;
mod rooms;
mod words;

use std::sync::LazyLock;

use sessile_tidy::{Problem, Tree, checks};

static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::of_workspace().expect("the workspace is readable"));

/// Fails with one line for each problem.
fn assert_none(problems: &[Problem]) {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), lines.join("\n"));
}

#[test]
fn the_tree_is_read() {
    assert!(TREE.files().len() > 500, "only {} files were found", TREE.files().len());
}

#[test]
fn rooms_do_not_name_what_they_must_not_know() {
    assert_none(&known::ABSENCES.apply(checks::absences(&TREE, rooms::ABSENCES)));
}

#[test]
fn every_invariant_is_checked_or_says_why_not() {
    let numbers: Vec<&str> = rooms::ABSENCES.iter().map(|absence| absence.invariant).collect();
    assert_none(&checks::invariants(&TREE, &numbers));
}

#[test]
fn arrows_between_crates_are_those_of_the_table() {
    assert_none(&checks::arrows(&TREE));
}

#[test]
fn files_name_each_other_in_no_unknown_circle() {
    assert_none(&checks::circles(&TREE, known::CIRCLES));
}

#[test]
fn a_public_name_stands_for_one_type() {
    assert_none(&checks::type_names(&TREE, known::TYPE_NAMES));
}

#[test]
fn retired_words_do_not_come_back() {
    assert_none(&known::WORDS.apply(checks::retired_words(&TREE, words::RETIRED)));
}

#[test]
fn lines_and_files_are_short() {
    assert_none(&known::LONG.apply(checks::line_lengths(&TREE)));
}

#[test]
fn files_have_names_that_say_something() {
    assert_none(&checks::files(&TREE));
}

#[test]
fn links_lead_somewhere() {
    assert_none(&checks::links(&TREE));
}

#[test]
fn no_file_speaks_of_somebodys_machine() {
    assert_none(&checks::vocabulary(&TREE));
}

#[test]
fn documents_name_what_exists() {
    assert_none(&checks::documents(&TREE));
}

#[test]
fn guides_name_items_that_exist() {
    assert_none(&checks::guides(&TREE));
}

#[test]
fn every_word_is_in_the_glossary() {
    assert_none(&checks::glossary(&TREE));
}

#[test]
fn each_crate_says_where_to_begin() {
    assert_none(&checks::readmes(&TREE));
}

#[test]
fn the_root_of_the_library_is_small() {
    assert_none(&checks::facade(&TREE));
}

#[test]
fn the_rules_of_the_protocol_are_kept_and_cited() {
    assert_none(&checks::protocol(&TREE));
}
