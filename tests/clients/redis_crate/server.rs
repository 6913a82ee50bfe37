//! What the server tells about its clients, its keys and itself.

use super::{Case, error};
use redis::{Connection, RedisResult, TypedCommands};
use std::collections::HashMap;

pub const CASES: &[Case] = &[
    ((7, 0), errors_have_their_code_and_text),
    ((7, 0), clients_know_themselves),
    ((7, 0), objects_tell_how_they_are_stored),
    ((7, 0), directives_are_read_and_changed),
    ((7, 0), info_counts),
    ((7, 0), commands_are_described),
];

fn errors_have_their_code_and_text(server: &mut Connection) -> RedisResult<()> {
    let unknown = redis::cmd("NONSENSE").arg("x").exec(server);
    assert_eq!(error(unknown), "ERR unknown command 'NONSENSE', with args beginning with: 'x' ");
    let few = redis::cmd("GET").exec(server);
    assert_eq!(error(few), "ERR wrong number of arguments for 'get' command");
    // The connection serves on.
    assert_eq!(server.ping()?, "PONG");
    assert_eq!(server.ping_message("hello")?, "hello");
    Ok(())
}

fn clients_know_themselves(server: &mut Connection) -> RedisResult<()> {
    server.client_setname("me")?;
    assert_eq!(server.client_getname()?.as_deref(), Some("me"));
    let id = server.client_id()?;
    let line: String = redis::cmd("CLIENT").arg("INFO").query(server)?;
    assert!(line.starts_with(&format!("id={id} addr=127.0.0.1:")), "{line}");
    assert!(line.contains(" name=me "), "{line}");
    let killed: usize = redis::cmd("CLIENT").arg(&["KILL", "ID", "1000000000"]).query(server)?;
    assert_eq!(killed, 0);
    Ok(())
}

fn objects_tell_how_they_are_stored(server: &mut Connection) -> RedisResult<()> {
    server.set("number", 12345)?;
    server.set("long", "x".repeat(100))?;
    server.sadd("numbers", &[1, 2, 3])?;
    server.zadd("sorted", "a", 1)?;
    let members: Vec<String> = (0..200).map(|number| format!("member:{number}")).collect();
    server.sadd("many", &members)?;
    let expected = [
        ("number", "int"),
        ("long", "raw"),
        ("numbers", "intset"),
        ("sorted", "listpack"),
        ("many", "hashtable"),
    ];
    for (key, encoding) in expected {
        assert_eq!(server.object_encoding(key)?.as_deref(), Some(encoding), "{key}");
    }
    assert_eq!(server.object_encoding("missing")?, None);
    assert_eq!(server.object_refcount("long")?, Some(1));
    assert!(server.object_idletime("long")?.is_some_and(|seconds| seconds <= 1));
    let mut usage = |key: &str| redis::cmd("MEMORY").arg("USAGE").arg(key).query(server);
    let (long, missing): (Option<usize>, Option<usize>) = (usage("long")?, usage("missing")?);
    assert!(long.is_some_and(|bytes| (100..400).contains(&bytes)), "{long:?}");
    assert_eq!(missing, None);
    Ok(())
}

fn directives_are_read_and_changed(server: &mut Connection) -> RedisResult<()> {
    let get = |server: &mut Connection, name: &str| -> RedisResult<HashMap<String, String>> {
        redis::cmd("CONFIG").arg("GET").arg(name).query(server)
    };
    let databases = HashMap::from([("databases".to_owned(), "16".to_owned())]);
    assert_eq!(get(server, "databases")?, databases);
    const NAME: &str = "hash-max-listpack-entries";
    let former = get(server, NAME)?[NAME].clone();
    let mut set = |value: &str| redis::cmd("CONFIG").arg(&["SET", NAME, value]).exec(server);
    set("7")?;
    let refused = error(set("many"));
    assert!(refused.starts_with("ERR CONFIG SET failed"), "{refused}");
    assert_eq!(get(server, NAME)?[NAME], "7");
    redis::cmd("CONFIG").arg(&["SET", NAME, &former]).exec(server)
}

fn info_counts(server: &mut Connection) -> RedisResult<()> {
    redis::cmd("CONFIG").arg("RESETSTAT").exec(server)?;
    server.set_ex("k", "v", 100)?;
    server.get("k")?;
    server.get("missing")?;
    let info: redis::InfoDict = redis::cmd("INFO").query(server)?;
    assert_eq!(info.get::<u64>("keyspace_hits"), Some(1));
    assert_eq!(info.get::<u64>("keyspace_misses"), Some(1));
    assert_eq!(info.get::<String>("role").as_deref(), Some("master"));
    let keyspace = info.get::<String>("db0").unwrap_or_default();
    assert!(keyspace.starts_with("keys=1,expires=1,avg_ttl="), "{keyspace}");
    Ok(())
}

fn commands_are_described(server: &mut Connection) -> RedisResult<()> {
    let count: usize = redis::cmd("COMMAND").arg("COUNT").query(server)?;
    let names: Vec<String> = redis::cmd("COMMAND").arg("LIST").query(server)?;
    assert!(names.len() >= count && names.contains(&"get".to_owned()));
    let keys: Vec<String> =
        redis::cmd("COMMAND").arg(&["GETKEYS", "MSET", "a", "1", "b", "2"]).query(server)?;
    assert_eq!(keys, ["a", "b"]);
    let docs: HashMap<String, HashMap<String, redis::Value>> =
        redis::cmd("COMMAND").arg(&["DOCS", "GET"]).query(server)?;
    assert!(docs["get"].contains_key("summary"));
    Ok(())
}
