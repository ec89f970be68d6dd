//! A token cut anywhere is short, never another one.

use super::*;

#[test]
fn a_token_cut_anywhere_is_short_and_never_another_token() {
    for (text, expected) in [
        ("<EVENT>", Token::EventStart),
        ("<EVENT/", Token::EventStart),
        ("<EVENT\n", Token::EventStart),
        ("</EVENT ", Token::EventEnd),
        ("<EVENTS>", Token::WrapperStart),
        ("</EVENTS>", Token::WrapperEnd),
        ("<?xml\t", Token::Declaration),
        ("<?xmlx", Token::Instruction),
        ("<?xml?", Token::Instruction),
        ("<?é", Token::Instruction),
        ("<!--", Token::Comment),
        ("<![CDATA[", Token::Cdata),
        ("<!DOCTYPE ", Token::Doctype),
        ("<EVENTX", Token::Other),
        ("<event>", Token::Other),
        ("<? ", Token::Other),
        ("<!doctype ", Token::Other),
        ("</X", Token::Other),
    ] {
        assert_eq!(token(text.as_bytes(), b"EVENT"), expected, "{text}");
        for end in 1..text.len() {
            let cut = token(&text.as_bytes()[..end], b"EVENT");
            assert!(cut == Token::Short || cut == expected, "{text} cut at {end}: {cut:?}");
        }
    }
}

#[test]
fn an_opening_does_not_close_itself() {
    assert_eq!(find_close(b"<!-->", 4, 4, b"-->"), None);
    assert_eq!(find_close(b"<!--->", 4, 4, b"-->"), None);
    assert_eq!(find_close(b"<!---->", 4, 4, b"-->"), Some(7));
    assert_eq!(find_close(b"<?a?>", 2, 2, b"?>"), Some(5));
    assert_eq!(find_close(b"<?>", 2, 2, b"?>"), None);
}
