//! No text whatever makes reading a policy, or showing what is wrong with it, panic.

use proptest::prelude::*;

use super::FULL;
use crate::diagnostic::{Color, render};
use crate::policy::Policy;

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_and_render(&bytes);
    }

    #[test]
    fn mutations_of_a_policy_never_panic(
        edits in proptest::collection::vec((0..FULL.len(), 0..40usize, any::<u8>(), 0..SCRAPS.len()), 1..6),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (at, length, byte, scrap) in edits {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            let scrap = SCRAPS[scrap].as_bytes();
            let new = if scrap.is_empty() { &[byte][..] } else { scrap };
            bytes.splice(at..end, new.iter().copied());
        }
        read_and_render(&bytes);
    }

    #[test]
    fn other_values_never_panic(line in 0..200usize, scrap in 0..SCRAPS.len()) {
        let lines: Vec<String> = FULL
            .lines()
            .enumerate()
            .map(|(number, text)| match text.split_once(" = ") {
                Some((key, _)) if number == line => format!("{key} = {}", SCRAPS[scrap]),
                _ => text.to_owned(),
            })
            .collect();
        read_and_render(lines.join("\n").as_bytes());
    }
}

/// Pieces that have meaning to TOML or to a policy.
const SCRAPS: [&str; 22] = [
    "",
    "\"",
    "'''",
    "[",
    "]",
    "{",
    "}",
    "[[column]]\n",
    "[[rule]]\n",
    "= ",
    "\n",
    "nan",
    "-inf",
    "1e999",
    "9223372036854775808",
    "-9223372036854775808",
    "0x7fffffffffffffff",
    "\"\\u00e9\"",
    "[[]]",
    "{ a = 1 }",
    "2020-01-01",
    "\"%s\"",
];

fn read_and_render(bytes: &[u8]) {
    if let Err(findings) = Policy::parse_bytes(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let rendered = render(&findings, "p", &text, Color::Always);
        assert!(!rendered.is_empty());
        for finding in &findings {
            assert!(!finding.message.is_empty() && !finding.help.is_empty());
            assert!(finding.code.starts_with("DPS"));
        }
    }
}
