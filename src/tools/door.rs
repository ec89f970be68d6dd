//! The front door seen from outside, for `replay` and `import`: a TCP connection to the listener,
//! like the appliance's.
//!
//! The listener never answers, but it closes a connection that it has read to the end. Only that
//! counts as taken: a connection that breaks, is refused or stays open is an error, and what was
//! written on it may or may not have been read. Nothing is retried here.

use crate::base::units::Size;
use crate::config::{Env, defaults};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A connection that takes longer to make is given up.
const CONNECT: Duration = Duration::from_secs(10);
/// A listener that is paused does not read; so long it is waited for, at a write and at the end.
const PATIENCE: Duration = Duration::from_secs(300);
/// Bytes handed over at once.
const PIECE: usize = 64 * 1024;

/// Where to send.
#[derive(Debug, Clone, clap::Args)]
pub struct Door {
    /// The listener [default: 127.0.0.1 and the PORT of the settings]
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
}

/// Why it is not known that the bytes were taken.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// No connection.
    #[error("cannot connect to {to}: {cause}; is the program running, and is --to its address?")]
    Connect {
        /// The address as it was given.
        to: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The bytes to send could not be read.
    #[error("cannot read: {0}")]
    Source(io::Error),
    /// The connection broke, or was refused.
    #[error(
        "the listener at {to} did not take all of it ({cause}): see its log (is this machine in \
         ALLOW_FROM, is TLS on, is it paused?)"
    )]
    Broken {
        /// The address as it was given.
        to: String,
        /// What the system said.
        cause: io::Error,
    },
}

impl Door {
    /// The address in words.
    #[must_use]
    pub fn address(&self) -> String {
        let env = Env::of_process();
        let port = env.get("PORT").or(defaults::default_of("PORT")).unwrap_or("8080");
        self.to.clone().unwrap_or_else(|| format!("127.0.0.1:{port}"))
    }

    /// Sends all of `source` over one connection and waits until the listener has read it to the
    /// end. Returns the number of bytes.
    ///
    /// # Errors
    /// It is not certain that all of it was taken.
    pub fn send(&self, mut source: impl Read) -> Result<u64, DoorError> {
        let to = self.address();
        let broken = |cause| DoorError::Broken { to: to.clone(), cause };
        let mut socket = connect(&to).map_err(|cause| match cause.kind() {
            // It was let in by the kernel and turned away by the listener.
            io::ErrorKind::ConnectionReset => broken(cause),
            _ => DoorError::Connect { to: to.clone(), cause },
        })?;
        let mut buffer = vec![0; PIECE];
        let mut sent = 0;
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(DoorError::Source(error)),
            };
            socket.write_all(buffer.get(..read).unwrap_or_default()).map_err(broken)?;
            sent += read as u64;
        }
        wait_for_close(&mut socket).map_err(broken)?;
        Ok(sent)
    }
}

fn connect(to: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in to.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(socket) => {
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.set_read_timeout(Some(PATIENCE))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A listener that refused has closed before us, which the system tells as an error of the socket.
fn wait_for_close(socket: &mut TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    let answered = socket.read(&mut [0; 64])?;
    if answered > 0 {
        let other = "it answered, so it is not the listener of this program";
        return Err(io::Error::new(io::ErrorKind::InvalidData, other));
    }
    socket.take_error()?.map_or(Ok(()), Err)
}

/// `1,234 bytes (1.2 KiB)` is what people compare with `ls`.
pub(super) fn bytes(count: u64) -> String {
    format!("{count} bytes ({})", Size(count).about())
}
