//! Compression around an object: none, gzip or Zstandard.
//!
//! Deterministic: gzip headers carry neither time nor name. Zstandard frames carry a checksum, as
//! gzip's do, so that a reader notices a damaged file. `finish` must be called; without it the
//! stream has no end.

use crate::spool::manifest::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use zstd::stream::write::Encoder;

/// A writer that compresses.
pub enum Sink<W: Write> {
    /// As it comes.
    Plain(W),
    /// gzip, level 6.
    Gzip(GzEncoder<W>),
    /// Zstandard, level 3.
    Zstd(Encoder<'static, W>),
}

impl<W: Write> Sink<W> {
    /// Puts a compressor in front of `output`.
    ///
    /// # Errors
    /// The Zstandard library found no memory.
    pub fn new(compression: Compression, output: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(output),
            Compression::Gzip => Self::Gzip(GzEncoder::new(output, flate2::Compression::new(6))),
            Compression::Zstd => {
                let mut encoder = Encoder::new(output, 3)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes what is left and the end of the stream.
    ///
    /// # Errors
    /// The output refused.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut output) => output.flush(),
            Self::Gzip(encoder) => encoder.finish()?.flush(),
            Self::Zstd(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
