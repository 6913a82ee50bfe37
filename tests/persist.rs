//! Payloads of DUMP, from Redis's own and from its former encodings: what they hold, and what becomes of
//! damaged ones.

use redist::persist::{PayloadError, dump, restore};
use redist::protocol::number::format_double;
use redist::value::stream::{Stream, StreamId};
use redist::value::{Element, EncodingLimits, End, Value};

/// A line of `data/payloads.txt`.
struct Case {
    mark: String,
    name: String,
    kind: String,
    encoding: String,
    contents: String,
    payload: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("data/payloads.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases: Vec<Case> = lines
        .map(|line| {
            let parts: Vec<String> = line.split(" | ").map(str::to_owned).collect();
            let [mark, name, kind, encoding, contents, payload] =
                <[String; 6]>::try_from(parts).expect(line);
            Case { mark, name, kind, encoding, contents, payload: unhex(&payload) }
        })
        .collect();
    assert!(cases.len() > 50);
    cases
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect()
}

fn restored(payload: &[u8]) -> Result<Value, PayloadError> {
    restore(payload, EncodingLimits::default(), usize::MAX)
}

static CHECKSUM: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);

/// The payload with a footer that fits.
fn sealed(body: &[u8]) -> Vec<u8> {
    sealed_as(12, body)
}

fn sealed_as(version: u16, body: &[u8]) -> Vec<u8> {
    let mut payload = [body, &version.to_le_bytes()].concat();
    payload.extend_from_slice(&CHECKSUM.checksum(&payload).to_le_bytes());
    payload
}

fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "\\e".to_owned();
    }
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !b"\\%=".contains(byte);
    let show = |byte: &u8| match byte {
        plain if is_plain(plain) => char::from(*plain).to_string(),
        other => format!("\\x{other:02x}"),
    };
    bytes.iter().map(show).collect()
}

fn contents(value: &Value) -> String {
    let text = |element: Element<'_>| shown(&element.bytes());
    let mut items: Vec<String> = match value {
        Value::String(string) => vec![shown(&string.as_ref().bytes())],
        Value::List(list) => return list.iter(End::Left).map(text).collect::<Vec<_>>().join(" "),
        Value::Set(set) => set.as_ref().iter().map(text).collect(),
        Value::SortedSet(set) => {
            let items = set.iter_from(0);
            let items =
                items.map(|(member, score)| format!("{}={}", shown(&member), format_double(score)));
            return items.collect::<Vec<_>>().join(" ");
        }
        Value::Hash(hash) => {
            let items = hash.iter_stored().map(|(field, stored)| {
                let deadline = stored.deadline_ms.map_or(String::new(), |ms| format!("@{ms}"));
                format!("{}={}{deadline}", text(field), text(stored.value))
            });
            items.collect()
        }
        Value::Stream(stream) => return stream_contents(stream),
    };
    items.sort();
    items.join(" ")
}

/// What is known of a stream, its entries, and its groups with what waits in them.
fn stream_contents(stream: &Stream) -> String {
    let text = |element: Element<'_>| shown(&element.bytes());
    let deleted = stream.max_deleted_id;
    let mut items = vec![format!("{}<{deleted}+{}", stream.last_id, stream.entries_added)];
    for entry in stream.entries(StreamId::MIN, StreamId::MAX) {
        let fields = entry.fields.map(|(name, value)| format!("{}={}", text(name), text(value)));
        items.push(format!("{}:{}", entry.id, fields.collect::<Vec<_>>().join(",")));
    }
    for (name, group) in &stream.groups {
        items.push(format!("{}@{}+{:?}", shown(name), group.last_id, group.entries_read));
        for consumer in group.consumers() {
            let waits = consumer.pending().iter().map(|id| {
                let pending = group.pending()[id];
                format!("{id}@{}*{}", pending.delivered_ms, pending.deliveries)
            });
            let waits = waits.collect::<Vec<_>>().join(",");
            items.push(format!("{}@{}:{waits}", shown(&consumer.name), consumer.seen_ms));
        }
    }
    items.join(" ")
}

#[test]
fn every_encoding_is_read_and_redis_s_own_are_written_to_the_byte() {
    for case in cases() {
        let name = &case.name;
        let value = restored(&case.payload).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(value.as_ref().kind().name(), case.kind, "{name}");
        assert_eq!(value.as_ref().encoding(), case.encoding, "{name}");
        assert_eq!(contents(&value), case.contents, "{name}");
        let again = dump(value.as_ref(), true);
        assert_eq!(again == case.payload, case.mark == "=", "{name}");
        for compresses in [true, false] {
            let value = restored(&dump(value.as_ref(), compresses)).expect("our own payload");
            assert_eq!(contents(&value), case.contents, "{name}");
        }
    }
}

#[test]
fn a_cut_payload_is_refused() {
    for case in cases() {
        let body = &case.payload[..case.payload.len() - 10];
        for end in (0..body.len()).step_by(1 + body.len() / 300) {
            assert!(restored(&sealed(&body[..end])).is_err(), "{} cut at {end}", case.name);
            let footer = matches!(restored(&case.payload[..end]), Err(PayloadError::Footer));
            assert!(footer, "{} cut at {end}", case.name);
        }
        assert!(restored(&sealed(&[body, b"x"].concat())).is_err(), "{} and more", case.name);
    }
}

#[test]
fn a_version_that_is_to_come_is_refused() {
    let case = &cases()[0];
    let body = &case.payload[..case.payload.len() - 10];
    for version in [0, 5, 10, 12] {
        assert!(restored(&sealed_as(version, body)).is_ok());
    }
    for version in [13, 80, u16::MAX] {
        let result = restored(&sealed_as(version, body));
        assert!(matches!(result, Err(PayloadError::Footer)), "{version}");
    }
}

/// What must not be taken: hexadecimal bodies, and why.
const REFUSED: &[(&str, &str)] = &[
    ("08", "a value cannot be of kind 8"),
    ("1a", "a value cannot be of kind 26"),
    ("0700", "it is the data of a module, and redist has no modules"),
    ("00ff", "a length cannot start with 0xff"),
    ("00820000", "a length cannot start with 0x82"),
    ("0081ffffffffffffffff", "18446744073709551615 bytes are announced, 0 are left"),
    ("0080ffffffff61", "4294967295 bytes are announced, 1 are left"),
    ("00c30180ffffffff61", "1 bytes cannot be the compressed form of 4294967295"),
    ("00c3044050e0000000", "an invalid compressed string"),
    ("0181ffffffffffffffff", "18446744073709551615 elements are announced, 0 bytes are left"),
    ("01c061", "a string where a length must be"),
    ("0100", "a collection of nothing"),
    ("0200", "a collection of nothing"),
    ("0300", "a collection of nothing"),
    ("0400", "a collection of nothing"),
    ("0500", "a collection of nothing"),
    ("1200", "a collection of nothing"),
    // An empty listpack in an list, a hash, a sorted set, a set.
    ("1201020707000000", "at byte 4: 7 bytes are announced, 4 are left"),
    ("120102070700000000 00ff", "a collection of nothing"),
    ("1007070000000000ff", "a collection of nothing"),
    ("1107070000000000ff", "a collection of nothing"),
    ("1407070000000000ff", "a collection of nothing"),
    ("120103016100", "a part of a list cannot be of kind 3"),
    ("0202016101 61", "a member of a set occurs twice"),
    ("0402016101780161 0179", "a field of a hash occurs twice"),
    ("0502016100000000000000000161 000000000000f03f", "a member of a sorted set occurs twice"),
    ("05010161000000000000f87f", "a score that is not a number"),
    ("03010161fd", "a score that is not a number"),
    ("030101610178", "a score that is not a number"),
    // Listpacks: [a, b, a, c] as a hash, [a, a] as a set, [a] as a hash, [a, x] as a sorted set.
    ("10131300000004008161028162028161028163 02ff", "an element occurs twice"),
    ("140d0d0000000200816102816102ff", "an element occurs twice"),
    ("100a0a00000001008161 02ff", "an incomplete pair"),
    ("110d0d0000000200816102817802ff", "a score that is not a number"),
    // 12 as text and as a number, in a set.
    ("140d0d00000002008231 32030c01ff", "an element occurs twice"),
    // An integer set: not ascending, of no known width, without elements.
    ("0b0c020000000200000002000100", "an invalid integer set"),
    ("0b0b0300000001000000010000", "an invalid integer set"),
    ("0b080200000000000000", "an invalid integer set"),
    // A ziplist whose end, count, tail or lengths are wrong.
    ("0a0e0e0000000a0000000100000161fe", "an invalid ziplist"),
    ("0a0e0e0000000a0000000200000161ff", "an invalid ziplist"),
    ("0a0e0e0000000b0000000100000161ff", "an invalid ziplist"),
    ("0a0e0e0000000a0000000100010161ff", "an invalid ziplist"),
    ("0a0e0e0000000a0000000100000261ff", "an invalid ziplist"),
    // A zipmap that ends too early, and one with too few pairs.
    ("09080101610300782eff", "an invalid zipmap"),
    ("09080201610100 78ffff", "an invalid zipmap"),
    // A stream: an id that is too short, a node without entries, one of which the number of entries
    // is wrong, two of one id, other entries than it says, a last id before its entries.
    ("1501 0161", "an id of a stream's node has another length"),
    ("1501 10 ID 07070000000000ff", "a stream's node is not well formed"),
    (
        "1501 10 ID 1d1d0000000a0002010001010181610200010201000100018162020401ff",
        "a stream's node is not well",
    ),
    ("13 NODE2 02 0501 0101 0000 02 00", "a node of a stream occurs twice"),
    ("13 NODE1 02 0501 0101 0000 02 00", "nodes of a stream contradict it"),
    ("13 NODE1 01 0001 0101 0000 01 00", "a stream has entries behind its last"),
    // Groups: twice of one name, a consumer twice, what waits in one place only.
    (
        "13 NODE1 01 0101 0101 0000 01 02 0167 0101 01 00 00 0167 0101 01 00 00",
        "a group of a stream occurs",
    ),
    (
        "13 NODE1 01 0101 0101 0000 01 01 0167 0101 01 00 02 0161 TIME 00 0161 TIME 00",
        "a consumer occurs",
    ),
    ("13 NODE1 01 0101 0101 0000 01 01 0167 0101 01 01 ID TIME 01 00", "but for no consumer"),
    ("13 NODE1 01 0101 0101 0000 01 01 0167 0101 01 00 01 0161 TIME 01 ID", "but not in its group"),
    (
        "13 NODE1 01 0101 0101 0000 01 01 0167 0101 01 02 ID TIME 01 ID TIME 01 00",
        "an entry waits twice",
    ),
    // Deadlines beyond 46 bits: one by one, and in a listpack.
    ("18ffffffffffff00000101016101 62", "a field's deadline that no clock will show"),
    ("19000000000000000012120000000300816102816202f1ff7f03ff", ""),
];

/// Words in these bodies: nodes with one entry, 1-1 with a=b, and parts of what waits.
const STANDING_FOR: &[(&str, &str)] = &[
    ("NODE2", "02 10 ID PACK 10 ID PACK"),
    ("NODE1", "01 10 ID PACK"),
    ("PACK", "1d1d0000000a0001010001010181610200010201000100018162020401ff"),
    ("ID", "00000000000000010000000000000001"),
    ("TIME", "0000000000000000"),
];

#[test]
fn what_is_no_value_is_refused_with_its_reason() {
    for (digits, reason) in REFUSED {
        let digits = STANDING_FOR
            .iter()
            .fold((*digits).to_owned(), |digits, (word, sense)| digits.replace(word, sense));
        let body = unhex(&digits.replace(' ', ""));
        match restored(&sealed(&body)) {
            Err(PayloadError::Value(error)) => {
                assert!(error.to_string().contains(reason), "{digits}: {error}");
                assert!(error.offset() <= body.len() as u64, "{digits}: {error}");
            }
            other => panic!("{digits} ({reason}): {other:?}"),
        }
    }
}
