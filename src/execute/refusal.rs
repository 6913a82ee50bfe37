//! Requests that name no command, and errors as a client is told of them.

use crate::command::{self, FindError, Found, help};
use crate::error::{CommandError, c_string};
use crate::instance::{Client, Closing, Instance};
use crate::protocol::{Request, encode_error};

/// Answers an error and counts it. Who typed the request also gets a hint.
pub(super) fn refuse(
    instance: &Instance,
    error: CommandError,
    found: Option<Found>,
    inline: bool,
    out: &mut Vec<u8>,
) {
    instance.stats.error(&error.code());
    let error = if inline { help::explained(error, found) } else { error };
    encode_error(&error, out);
}

/// Finds the command; `None` if the connection is to end without a reply.
pub(super) fn find(client: &mut Client, request: &Request) -> Result<Option<Found>, CommandError> {
    let found = command::find(request);
    client.record.note_command(found.as_ref().ok().map(|found| found.id));
    let error = match found {
        Ok(found) => return Ok(Some(found)),
        Err(error) => error,
    };
    let name = request.get(0).unwrap_or_default();
    match error {
        FindError::UnknownSubcommand(container) => {
            let name = request.get(1).unwrap_or_default();
            Err(CommandError::UnknownSubcommand {
                name: shown(name, SHOWN_BYTES_MAX).to_vec(),
                container: container.spec.name,
            })
        }
        // A browser that was led here by a foreign page sends these (cross-protocol scripting).
        FindError::Unknown
            if name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:") =>
        {
            log::warn!(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. \
                 This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. \
                 Connection from {} aborted.",
                client.record.peer
            );
            client.closing = Some(Closing::AtOnce);
            Ok(None)
        }
        FindError::Unknown => Err(unknown_command(request)),
    }
}

/// How much of a name, and of all arguments together, an error shows.
const SHOWN_BYTES_MAX: usize = 128;

fn unknown_command(request: &Request) -> CommandError {
    let mut beginning = Vec::new();
    for (arg, _) in request.iter().skip(1) {
        if beginning.len() >= SHOWN_BYTES_MAX {
            break;
        }
        let arg = shown(arg, SHOWN_BYTES_MAX - beginning.len());
        beginning.push(b'\'');
        beginning.extend_from_slice(arg);
        beginning.extend_from_slice(b"' ");
    }
    let name = request.get(0).unwrap_or_default();
    let name = shown(name, SHOWN_BYTES_MAX).to_vec();
    CommandError::UnknownCommand { name, beginning }
}

/// What an error shows of a word: so many bytes at most, up to a zero byte.
fn shown(word: &[u8], bytes_max: usize) -> &[u8] {
    let word = c_string(word);
    &word[..word.len().min(bytes_max)]
}
