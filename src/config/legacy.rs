//! Settings of the Python script that have no meaning any more: accepted, with one warning that
//! says what replaced them, so that its `.env` starts this program unchanged.

use super::Env;
use super::reader::Reader;

const REPLACED: [(&str, &str); 4] = [
    ("MAX_RETRIES", "every upload is tried until the store has confirmed it"),
    ("RETRY_BASE_DELAY", "the delay between tries grows by itself and has an upper limit"),
    ("CURRENT_FILE", "open files live in DATA_DIR"),
    ("TEMP_FILE", "open files live in DATA_DIR"),
];

pub(super) fn warn(reader: &mut Reader, env: &Env) {
    let set = REPLACED.iter().filter(|(variable, _)| env.get(variable).is_some());
    let words: Vec<String> = set.map(|(variable, what)| format!("{variable} ({what})")).collect();
    if !words.is_empty() {
        reader.warn(format!("no longer used, and can be removed: {}", words.join("; ")));
    }
}
