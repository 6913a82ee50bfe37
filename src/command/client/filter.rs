//! Which clients CLIENT LIST shows and CLIENT KILL ends.

use crate::command::args::Args;
use crate::command::connection::DEFAULT_USER;
use crate::error::CommandError;
use crate::instance::{ClientRecord, Registry, SharedRecord};
use crate::protocol::number::parse_integer;
use std::fmt::Display;

/// What a client is connected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientType {
    Normal,
    Replica,
    PubSub,
    Master,
}

impl ClientType {
    const NAMES: [(&'static str, Self); 5] = [
        ("normal", Self::Normal),
        ("slave", Self::Replica),
        ("replica", Self::Replica),
        ("pubsub", Self::PubSub),
        ("master", Self::Master),
    ];

    fn read(name: &[u8]) -> Result<Self, CommandError> {
        let is_named =
            |entry: &&(&'static str, Self)| entry.0.as_bytes().eq_ignore_ascii_case(name);
        match Self::NAMES.iter().find(is_named) {
            Some((_, client_type)) => Ok(*client_type),
            None => Err(CommandError::quoting("ERR Unknown client type ", name, "")),
        }
    }

    /// Whoever monitors is a normal client too; nobody replicates.
    fn of(record: &ClientRecord) -> Self {
        if record.subscriptions.is_empty() { Self::Normal } else { Self::PubSub }
    }
}

/// What CLIENT LIST shows.
pub(super) enum List {
    All,
    Type(ClientType),
    /// In this order, and as often as named.
    Ids(Vec<i64>),
}

impl List {
    pub(super) fn read(args: &mut Args<'_>) -> Result<Self, CommandError> {
        if args.is_empty() {
            return Ok(Self::All);
        }
        if args.len() == 2 && args.word("TYPE") {
            return Ok(Self::Type(ClientType::read(args.bytes()?)?));
        }
        if args.len() < 2 || !args.word("ID") {
            return Err(CommandError::Syntax);
        }
        let ids = args.rest().map(|id| parse_integer(id).ok_or(CommandError::INVALID_CLIENT_ID));
        ids.collect::<Result<_, _>>().map(Self::Ids)
    }

    pub(super) fn select(&self, clients: &Registry) -> Vec<SharedRecord> {
        match self {
            Self::All => clients.all(),
            Self::Type(wanted) => {
                let mut records = clients.all();
                records.retain(|record| ClientType::of(record) == *wanted);
                records
            }
            Self::Ids(ids) => {
                let known = ids.iter().filter_map(|id| u64::try_from(*id).ok());
                known.filter_map(|id| clients.get(id)).collect()
            }
        }
    }
}

/// Whom CLIENT KILL ends: whoever fits everything that is given.
#[derive(Default)]
pub(super) struct Kill<'v> {
    /// `CLIENT KILL address`: may hit the client itself, and has to hit somebody.
    pub(super) is_old_form: bool,
    id: Option<u64>,
    client_type: Option<ClientType>,
    address: Option<&'v [u8]>,
    local_address: Option<&'v [u8]>,
    age_seconds: Option<u64>,
    spares_itself: bool,
}

impl<'v> Kill<'v> {
    pub(super) fn read(args: &mut Args<'v>) -> Result<Self, CommandError> {
        if args.len() == 1 {
            let address = Some(args.bytes()?);
            return Ok(Self { is_old_form: true, address, ..Self::default() });
        }
        let mut kill = Self { spares_itself: true, ..Self::default() };
        while args.len() >= 2 {
            if args.word("ID") {
                kill.id = Some(positive(args.bytes()?).ok_or(CommandError::CLIENT_ID_TOO_SMALL)?);
            } else if args.word("MAXAGE") {
                let age = args.integer().map_err(|_| CommandError::MAXAGE_NOT_INTEGER)?;
                let age = u64::try_from(age).ok().filter(|age| *age > 0);
                kill.age_seconds = Some(age.ok_or(CommandError::MAXAGE_TOO_SMALL)?);
            } else if args.word("TYPE") {
                kill.client_type = Some(ClientType::read(args.bytes()?)?);
            } else if args.word("ADDR") {
                kill.address = Some(args.bytes()?);
            } else if args.word("LADDR") {
                kill.local_address = Some(args.bytes()?);
            } else if args.word("USER") {
                let user = args.bytes()?;
                // Everybody is this user, so it selects nobody in particular.
                if user != DEFAULT_USER {
                    return Err(CommandError::quoting("ERR No such user ", user, ""));
                }
            } else if args.word("SKIPME") {
                kill.spares_itself = yes_or_no(args)?;
            } else {
                break;
            }
        }
        args.end()?;
        Ok(kill)
    }

    pub(super) fn wants(&self, record: &ClientRecord, own_id: u64, now_ms: u64) -> bool {
        let is_at = |wanted: Option<&[u8]>, address: &dyn Display| {
            wanted.is_none_or(|wanted| wanted == address.to_string().as_bytes())
        };
        self.id.is_none_or(|id| id == record.id)
            && self.client_type.is_none_or(|wanted| wanted == ClientType::of(record))
            && self.age_seconds.is_none_or(|age| record.age_seconds(now_ms) >= age)
            && !(self.spares_itself && record.id == own_id)
            && is_at(self.address, &record.peer)
            && is_at(self.local_address, &record.local)
    }
}

fn positive(text: &[u8]) -> Option<u64> {
    parse_integer(text).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0)
}

fn yes_or_no(args: &mut Args<'_>) -> Result<bool, CommandError> {
    if args.word("YES") {
        return Ok(true);
    }
    if args.word("NO") { Ok(false) } else { Err(CommandError::Syntax) }
}
