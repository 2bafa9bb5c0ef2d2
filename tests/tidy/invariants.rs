//! The invariants of `docs/design.md`: each has a scenario that cites its number.
//!
//! Reads what tests say of themselves; never whether it is true.

use std::ops::RangeInclusive;

use super::{repository, sources};

/// I1 to I12.
const INVARIANTS: RangeInclusive<usize> = 1..=12;

/// The documentation in a piece of code, word by word.
fn documented(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().filter(|line| line.starts_with("//!") || line.starts_with("///"));
    lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
}

/// What stands above a test: its documentation and its attributes.
fn above<'t>(text: &'t str, test: &str) -> Option<&'t str> {
    let at = text.find(&format!("fn {test}("))?;
    text[..at].rsplit("\n\n").next()
}

#[test]
fn the_design_names_for_each_invariant_a_scenario_that_cites_it() {
    let design = std::fs::read_to_string(repository().join("docs/design.md")).unwrap();
    let scenarios = sources(&["tests"]);
    for number in INVARIANTS {
        let invariant = format!("I{number}");
        assert!(design.contains(&format!("- **{invariant}. ")), "the design has no {invariant}");
        let row = design.lines().find(|line| line.starts_with(&format!("| {invariant} |")));
        let row = row.unwrap_or_else(|| panic!("the design names no test of {invariant}"));
        let named: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let [test, path] = named[..] else { panic!("not a test and its file: {row}") };
        let found = scenarios.iter().find(|(file, _)| file == path);
        let (_, text) = found.unwrap_or_else(|| panic!("there is no {path}"));
        let above = above(text, test).unwrap_or_else(|| panic!("{path} has no test {test}"));
        assert!(documented(above).any(|word| word == invariant), "{test} cites no {invariant}");
    }
}

#[test]
fn no_scenario_cites_an_invariant_that_there_is_not() {
    for (path, text) in sources(&["tests"]) {
        for word in documented(&text) {
            let number = word.strip_prefix('I').and_then(|number| number.parse::<usize>().ok());
            assert!(number.is_none_or(|it| INVARIANTS.contains(&it)), "{path} cites {word}");
        }
    }
}
