//! Writes one segment in every format and compression into a folder, for readers that are not ours:
//! `cargo run --example encode_samples -- DIR`, then `tests/python/formats.py DIR`.

use anyhow::Context;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use xml_stream_aggregator::spool::manifest::{Compression, Form, Format};
use xml_stream_aggregator::spool::names::Lane;
use xml_stream_aggregator::upload::encode::{encode, extension};

#[path = "parts/segment.rs"]
mod segment;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("usage: encode_samples DIR")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let sealed = folder.join("000000000001.sealed");
    segment::write(&mut File::create(&sealed)?, 6000, 3000)?;
    for format in [Format::Xml, Format::Json, Format::Ndjson, Format::Parquet] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            write_object(folder, &sealed, &Form { format, compression, ..Form::default() })?;
        }
    }
    let format = Format::Json;
    write_object(folder, &sealed, &Form { format, pretty: true, ..Form::default() })
}

/// The name tells all of the form, so that no two objects meet.
fn write_object(folder: &Path, sealed: &Path, form: &Form) -> anyhow::Result<()> {
    let pretty = if form.pretty { "pretty" } else { "plain" };
    let extension = extension(form, Lane::Events);
    let name = format!("{:?}-{pretty}.{extension}", form.compression).to_lowercase();
    let mut open = || Ok(Box::new(File::open(sealed)?) as Box<dyn Read>);
    encode(form, Lane::Events, &mut open, &mut File::create(folder.join(name))?)?;
    Ok(())
}
