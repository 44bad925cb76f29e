//! The first thing on every member connection: each end says which incarnation of its process it is.
//!
//! The caller opens a bidirectional stream and writes eight bytes; the other end, once it has admitted the caller, answers
//! with eight of its own. A refused caller's handshake succeeds at first (in TLS 1.3 the client is done before the server
//! has looked at its certificate), so the answer is what tells the caller that its link stands.

use quinn::{Connection, ConnectionError, ReadExactError, RecvStream, SendStream};

use crate::close::LinkError;

const GREETING_BYTES: usize = 8;

/// How a greeting failed.
pub(crate) enum GreetingError {
    /// The connection went away.
    Connection(ConnectionError),
    /// The other end did something else.
    Malformed,
}

impl From<ConnectionError> for GreetingError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl From<GreetingError> for LinkError {
    fn from(error: GreetingError) -> Self {
        match error {
            GreetingError::Connection(error) => error.into(),
            GreetingError::Malformed => Self::Greeting,
        }
    }
}

/// The caller's half; yields the other end's incarnation.
pub(crate) async fn greet(connection: &Connection, mine: u64) -> Result<u64, GreetingError> {
    let (mut send, mut recv) = connection.open_bi().await?;
    write(connection, &mut send, mine).await?;
    read(connection, &mut recv).await
}

/// The called end's half; yields the caller's incarnation.
pub(crate) async fn answer(connection: &Connection, mine: u64) -> Result<u64, GreetingError> {
    let (mut send, mut recv) = connection.accept_bi().await?;
    let theirs = read(connection, &mut recv).await?;
    write(connection, &mut send, mine).await?;
    Ok(theirs)
}

async fn write(
    connection: &Connection,
    stream: &mut SendStream,
    incarnation: u64,
) -> Result<(), GreetingError> {
    let written = stream.write_all(&incarnation.to_be_bytes()).await;
    if written.is_err() || stream.finish().is_err() {
        return Err(broken(connection));
    }
    Ok(())
}

/// Reads exactly one greeting and the end of the stream behind it.
async fn read(connection: &Connection, stream: &mut RecvStream) -> Result<u64, GreetingError> {
    let mut bytes = [0; GREETING_BYTES + 1];
    match stream.read_exact(&mut bytes).await {
        Err(ReadExactError::FinishedEarly(GREETING_BYTES)) => {}
        Ok(()) | Err(ReadExactError::FinishedEarly(_)) => return Err(GreetingError::Malformed),
        Err(ReadExactError::ReadError(_)) => return Err(broken(connection)),
    }
    let [greeting @ .., _] = bytes;
    Ok(u64::from_be_bytes(greeting))
}

/// A stream broke: because the connection did, or because the other end reset it.
fn broken(connection: &Connection) -> GreetingError {
    connection
        .close_reason()
        .map_or(GreetingError::Malformed, GreetingError::Connection)
}
