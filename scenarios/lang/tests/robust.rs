//! Whatever a script holds, reading it ends with a tree or with errors: it
//! never panics, and what it read prints and reads back.
//!
//! Scripts are broken in ways that a seed decides, so a failure repeats.

use std::path::Path;

use tunfarm_lang::symbols::Definitions;
use tunfarm_lang::{MAX_SCRIPT, parse, parse_and_check, print};

/// Pieces that mean something to the parser, to be put where they do not belong.
const PIECES: [&str; 40] = [
    "+0 ",
    "*",
    "~",
    "...",
    "<",
    ">",
    "< S 0:0(0)",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "`",
    "\"",
    "%{",
    "}%",
    "/*",
    "*/",
    "//",
    "#",
    "\n",
    "\\",
    "|",
    "=",
    ",",
    ":",
    "--",
    "--mss=",
    "ack ",
    "sack 1:2",
    "-1",
    "0x",
    "99999999999999999999",
    ".5",
    "é",
    "\u{0}",
    "if x:\n",
    "not ",
    "assert ",
];

/// xorshift64*: a small generator whose whole state is its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap_or(0) % limit.max(1)
    }
}

fn scripts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let entries = std::fs::read_dir(folder).expect("the folder of scripts");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a script"))
        .collect()
}

/// `text` with one thing broken.
fn broken(text: &str, other: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = random.below(characters.len() + 1);
    let end = (at + random.below(20)).min(characters.len());
    match random.below(5) {
        0 => drop(characters.drain(at..end)),
        1 => {
            let piece = PIECES[random.below(PIECES.len())];
            characters.splice(at..at, piece.chars());
        }
        2 => {
            let again: Vec<char> = characters[at..end].to_vec();
            let to = random.below(characters.len() + 1);
            characters.splice(to..to, again);
        }
        3 => {
            if let Some(character) = characters.get_mut(at) {
                *character = char::from(u8::try_from(random.below(128)).unwrap_or(b'?'));
            }
        }
        _ => {
            let from = random.below(other.chars().count() + 1);
            characters.splice(at..end, other.chars().skip(from).take(30));
        }
    }
    characters.into_iter().collect()
}

/// Reads `text`; what reads must print and read back, what does not must say why.
fn survives(text: &str) -> bool {
    let shown = parse_and_check(text, "broken.pkt", &Definitions::new())
        .map_err(|errors| errors.to_string());
    if let Err(shown) = shown {
        assert!(
            shown.contains("error: "),
            "an error without a word about {text:?}"
        );
    }
    let Ok(script) = parse(text, "broken.pkt") else {
        return false;
    };
    let printed = print(&script);
    let again = parse(&printed, "printed.pkt")
        .unwrap_or_else(|errors| panic!("{errors}\n{text}\n{printed}"));
    assert_eq!(script, again, "\n{text}\n{printed}");
    true
}

#[test]
fn broken_scripts_are_read_to_the_end() {
    let scripts = scripts();
    let mut random = Random(0x7475_6e66_6172_6d00);
    let (mut read, mut refused) = (0, 0);
    for round in 0..6_000 {
        let whole = &scripts[random.below(scripts.len())];
        let other = &scripts[random.below(scripts.len())];
        // A few lines are enough to break, and quick.
        let lines: Vec<&str> = whole.lines().collect();
        let first = random.below(lines.len());
        let mut text = lines[first..(first + 6).min(lines.len())].join("\n");
        for _ in 0..=round % 4 {
            text = broken(&text, other, &mut random);
        }
        if survives(&text) {
            read += 1
        } else {
            refused += 1
        }
    }
    assert!(
        read > 500 && refused > 500,
        "{read} read, {refused} refused: the breaking is lopsided"
    );
}

#[test]
fn every_beginning_of_a_script_is_read_to_the_end() {
    for script in scripts() {
        for (end, _) in script.char_indices().step_by(3) {
            survives(&script[..end]);
        }
    }
}

#[test]
fn a_script_too_long_is_refused() {
    let text = " ".repeat(MAX_SCRIPT + 1);
    let errors = parse_and_check(&text, "long.pkt", &Definitions::new()).expect_err("too long");
    assert!(errors.to_string().contains("expected at most"), "{errors}");
}
