//! A damaged segment, a failing reader, a failing output: said as what they are, in every format.

use super::*;

#[test]
fn a_segment_cut_anywhere_is_damaged_and_never_half_an_object() {
    let segment = sealed(&[TRAPS, "<EVENT><cn>2</cn></EVENT>"]);
    let wrapper_begins = HEADER.len() - "\n".len();
    for end in wrapper_begins..segment.len() - 1 {
        let result =
            try_encode(&form(Format::Ndjson, Compression::None), Lane::Events, &segment[..end]);
        assert!(matches!(result, Err(EncodeError::Damaged { .. })), "cut at {end}: {result:?}");
    }
}

#[test]
fn a_damaged_segment_says_where() {
    let mut segment = sealed(&["<EVENT/>", "<EVENT><a>1</a></EVENT>"]);
    let at = segment.windows(3).position(|w| w == b">1<").unwrap() + 1;
    segment[at] = 0xff;
    match try_encode(&form(Format::Json, Compression::None), Lane::Events, &segment) {
        Err(EncodeError::Damaged { position, .. }) => {
            assert_eq!(position, HEADER.len() as u64 + "<EVENT/>".len() as u64);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_place_is_right_far_behind_the_first_window() {
    let filler = format!("<EVENT><a>{}</a></EVENT>", "y".repeat(50_000));
    let mut segment = sealed(&[&filler, &filler, &filler, "<EVENT>1</EVENT>"]);
    let position = (segment.len() - FOOTER.len() - "<EVENT>1</EVENT>\n".len() - 1) as u64;
    let at = segment.len() - FOOTER.len() - "1</EVENT>\n".len();
    segment[at] = 0xff;
    let form = form(Format::Ndjson, Compression::None);
    match try_encode(&form, Lane::Events, &segment) {
        Err(EncodeError::Damaged { position: found, .. }) => assert_eq!(found, position),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failing_reader_is_a_read_error_in_every_format() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    for format in FORMATS {
        let mut open = || Ok(Box::new(Failing) as Box<dyn Read>);
        let result =
            encode(&form(format, Compression::Zstd), Lane::Events, &mut open, &mut Vec::new());
        assert!(matches!(result, Err(EncodeError::Read(_))), "{format:?}: {result:?}");
    }
}

#[test]
fn a_failing_output_is_a_write_error_in_every_format() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in FORMATS {
        let segment = sealed(&[TRAPS]);
        let mut open = || Ok(Box::new(Cursor::new(segment.clone())) as Box<dyn Read>);
        let result = encode(&form(format, Compression::None), Lane::Events, &mut open, &mut Full);
        assert!(matches!(result, Err(EncodeError::Write(_))), "{format:?}: {result:?}");
    }
}
