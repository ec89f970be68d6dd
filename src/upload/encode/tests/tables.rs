//! What holds for Parquet alone: columns, `_extra`, row groups, compression inside.

use super::*;

#[test]
fn parquet_is_compressed_inside_as_asked() {
    use parquet_crate::basic::Compression as Inside;
    for (asked, inside) in
        [(Compression::None, "ZSTD"), (Compression::Zstd, "ZSTD"), (Compression::Gzip, "GZIP")]
    {
        let object = encoded(&form(Format::Parquet, asked), &[TRAPS]);
        let reader = SerializedFileReader::new(bytes::Bytes::from(object)).unwrap();
        let column = reader.metadata().row_group(0).column(0);
        assert!(format!("{:?}", column.compression()).starts_with(inside));
        assert_ne!(column.compression(), Inside::UNCOMPRESSED);
        assert_eq!(extension(&form(Format::Parquet, asked), Lane::Events), "parquet");
    }
}

#[test]
fn the_vendors_fields_are_the_first_columns_and_new_ones_follow() {
    let object = encoded(
        &form(Format::Parquet, Compression::None),
        &["<EVENT><z>1</z><cn>2</cn><n><m>3</m></n><a b='4'/><y/></EVENT>"],
    );
    let reader = SerializedFileReader::new(bytes::Bytes::from(object)).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<_> = schema.columns().iter().map(|c| c.name().to_owned()).collect();
    let vendors: Vec<_> = fields::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names[..vendors.len()], vendors);
    assert_eq!(names[fields::FIELDS.len()..], ["z", "y", "_extra"]);
    assert!(
        schema
            .columns()
            .iter()
            .all(|c| c.logical_type_ref() == Some(&parquet_crate::basic::LogicalType::String))
    );
}

#[test]
fn fields_that_are_seldom_there_do_not_make_row_groups_small() {
    let wide: String = (0..214).map(|n| format!("<f{n}>1</f{n}>")).collect();
    let wide = format!("<EVENT>{wide}</EVENT>");
    let mut events = vec!["<EVENT><cn>1</cn></EVENT>"; 20_000];
    events.push(&wide);
    let object = encoded(&form(Format::Parquet, Compression::None), &events);
    let reader = SerializedFileReader::new(bytes::Bytes::from(object)).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 1);
}

#[test]
fn parquet_pages_are_of_version_1() {
    use parquet_crate::basic::PageType;
    let object = encoded(&form(Format::Parquet, Compression::None), &[TRAPS]);
    let reader = SerializedFileReader::new(bytes::Bytes::from(object)).unwrap();
    assert_eq!(reader.metadata().file_metadata().version(), 1);
    let group = reader.get_row_group(0).unwrap();
    let pages: Vec<_> =
        group.get_column_page_reader(1).unwrap().map(|p| p.unwrap().page_type()).collect();
    assert!(pages.contains(&PageType::DATA_PAGE), "{pages:?}");
    assert!(!pages.contains(&PageType::DATA_PAGE_V2), "{pages:?}");
}

#[test]
fn what_fits_no_column_is_in_extra() {
    let event = "<EVENT v='1'><cn>a</cn><CN>b</CN><cn>c</cn><cn x='2'>d</cn><_EXTRA>e</_EXTRA><n><m/></n></EVENT>";
    let row = rows(&encoded(&form(Format::Parquet, Compression::None), &[event])).remove(0);
    let expected = r#"{"@v":"1","CN":"b","cn":["c",{"@x":"2","$":"d"}],"_EXTRA":"e","n":{"m":""}}"#;
    assert_eq!(
        row,
        [("cn".to_owned(), "a".to_owned()), ("_extra".to_owned(), expected.to_owned())]
    );
}

#[test]
fn at_most_256_fields_have_a_column_and_the_others_are_not_lost() {
    let many: String = (0..400).map(|n| format!("<f{n}>v{n}</f{n}>")).collect();
    let event = format!("<EVENT>{many}</EVENT>");
    let row = rows(&encoded(&form(Format::Parquet, Compression::None), &[&event])).remove(0);
    assert_eq!(row.len(), parquet::MAX_COLUMNS - fields::FIELDS.len() + 1);
    assert_parquet_equals_ndjson(&[&event]);
}

#[test]
fn parquet_holds_the_same_events_across_row_groups() {
    let filler = "x".repeat(2000);
    let events: Vec<String> = (0..5000)
        .map(|n| format!("<EVENT><cn>{n}</cn><plasectrxMsg>{filler}{n}</plasectrxMsg></EVENT>"))
        .collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let object = encoded(&form(Format::Parquet, Compression::None), &events);
    let reader = SerializedFileReader::new(bytes::Bytes::from(object)).unwrap();
    assert!((2..=4).contains(&reader.metadata().num_row_groups()));
    assert!(reader.metadata().row_groups().iter().all(|group| group.num_rows() > 0));
    assert_parquet_equals_ndjson(&events);
}
