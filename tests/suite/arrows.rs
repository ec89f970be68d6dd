//! Keeps the source readable in an afternoon: arrows between the parts point one way, and every
//! file opens with its header.
//!
//! The table is the one of ARCHITECTURE.md. What counts as an arrow is any `crate::part` (or, in
//! the binary, `xml_stream_aggregator::part`) in a source file, tests included.

use crate::support::store::files;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who may use whom. `tools` and `main` use the library like anybody else.
const ARROWS: [(&str, &[&str]); 10] = [
    ("base", &[]),
    ("event", &["base"]),
    ("spool", &["event", "base"]),
    ("quarantine", &["spool", "event", "base"]),
    ("ingest", &["quarantine", "spool", "event", "base"]),
    ("upload", &["spool", "event", "base"]),
    ("admin", &["spool", "event", "base"]),
    ("config", &["ingest", "quarantine", "spool", "upload", "admin", "event", "base"]),
    ("daemon", &["config", "ingest", "quarantine", "spool", "upload", "admin", "event", "base"]),
    ("tools", ANY),
];

const ANY: &[&str] =
    &["daemon", "config", "ingest", "quarantine", "spool", "upload", "admin", "event", "base"];

#[test]
fn arrows_point_one_way() {
    let table: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for path in sources() {
        let part = part_of(&path);
        if matches!(part.as_str(), "main" | "lib") {
            continue;
        }
        let Some(allowed) = table.get(part.as_str()) else {
            wrong.push(format!("{}: '{part}' is not in the table", path.display()));
            continue;
        };
        for used in used_parts(&std::fs::read_to_string(root().join(&path)).unwrap()) {
            if used != part && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {part} → {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that are not in the table:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_its_header() {
    let bare: Vec<_> = sources()
        .into_iter()
        .chain(tests_and_benches())
        .filter(|path| !std::fs::read_to_string(root().join(path)).unwrap().starts_with("//! "))
        .collect();
    assert!(bare.is_empty(), "files without a header: {bare:?}");
}

#[test]
fn the_reader_of_arrows_sees_every_form_of_use() {
    let text = "use crate::spool::{Batch, names};\n\
                use crate::{base::clock, event};\n\
                fn f() -> crate::upload::Key { xml_stream_aggregator::ingest::run() }\n\
                // crate::admin in a comment is no use\n";
    assert_eq!(used_parts(text), ["base", "event", "ingest", "spool", "upload"]);
}

/// The parts that a source text names.
fn used_parts(text: &str) -> Vec<String> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut parts = Vec::new();
    for marker in ["crate::", "xml_stream_aggregator::"] {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        for (at, _) in code.match_indices(marker) {
            // `other_crate::` is somebody else's.
            if code[..at].ends_with(is_word) {
                continue;
            }
            let rest = &code[at + marker.len()..];
            match rest.strip_prefix('{') {
                Some(group) => parts.extend(heads_of(group)),
                None => parts.extend(word(rest)),
            }
        }
    }
    parts.sort();
    parts.dedup();
    parts
}

/// The first words of the members of `{a::b, c::{d, e}, f}`, read behind the first brace.
fn heads_of(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads: Vec<String> = word(group).into_iter().collect();
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(word(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    // A capital names an item at the root of the crate, which is no part.
    let word = &text[..end];
    word.starts_with(|c: char| c.is_lowercase()).then(|| word.to_owned())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<PathBuf> {
    rust_files("src")
}

fn tests_and_benches() -> Vec<PathBuf> {
    [rust_files("tests"), rust_files("benches")].concat()
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = files(&root().join(folder));
    found.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    found.iter().map(|path| path.strip_prefix(root()).unwrap().to_owned()).collect()
}

/// `src/spool/names.rs` and `src/spool.rs` are both of the part `spool`.
fn part_of(path: &Path) -> String {
    let first = path.components().nth(1).unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}
