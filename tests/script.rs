//! Scripts that run for long, and scripts that try to bring the server down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::Server;
use support::client::{Client, frame};
use support::watch::{Panics, eventually};

fn start() -> Server {
    Panics::watch();
    Server::builder().port(0).start().unwrap()
}

fn stop(server: Server) {
    server.stop().unwrap();
    Panics::assert_none();
}

fn eval(client: &mut Client, script: &str) -> String {
    client.request(&["EVAL", script, "0"]).unwrap().to_string()
}

const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

#[test]
fn others_are_told_of_a_script_that_runs_for_long_and_can_end_it() {
    let server = start();
    let mut other = Client::connect(server.addr());
    other.ask("CONFIG SET busy-reply-threshold 50");
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
    ] {
        let mut runner = Client::connect(server.addr());
        runner.send(&frame(&["EVAL", script, "0"])).unwrap();
        eventually("busy", || other.ask("PING") == BUSY);
        assert_eq!(other.ask("GET k"), BUSY);
        assert_eq!(other.ask("SCRIPT KILL"), "+OK");
        let reply = runner.read().unwrap().to_string();
        assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL..."), "{reply}");
        assert_eq!(other.ask("PING"), "+PONG");
        assert_eq!(runner.ask("PING"), "+PONG");
    }
    assert_eq!(other.ask("SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.");
    stop(server);
}

#[test]
fn a_script_that_has_written_cannot_be_killed_but_the_server_can_end() {
    let server = start();
    let mut other = Client::connect(server.addr());
    other.ask("CONFIG SET busy-reply-threshold 50");
    let mut runner = Client::connect(server.addr());
    runner.send(&frame(&["EVAL", "redis.call('set', 'k', 1) while true do end", "0"])).unwrap();
    eventually("busy", || other.ask("PING") == BUSY);
    assert!(other.ask("SCRIPT KILL").starts_with("-UNKILLABLE "));
    stop(server);
}

#[test]
fn no_script_brings_the_server_down() {
    let server = start();
    let mut client = Client::connect(server.addr());
    for (script, error) in [
        ("return string.find(string.rep('a', 1e6), string.rep('a?', 1e6))", "pattern too complex"),
        ("return string.rep('x', 2e9)", "not enough memory"),
        ("local s = 'x' while true do s = s .. s end", "not enough memory"),
        ("local function f() return f() + 1 end return f()", "stack overflow"),
        (
            "local function g() return (string.gsub('a', 'a', function() return g() end)) end return g()",
            "C stack overflow",
        ),
        ("return cjson.decode(string.rep('[', 100000))", "too many nested data structures"),
        ("return {unpack({}, 1, 9e6)}", "too many results to unpack"),
        (
            "local function f() return coroutine.wrap(function() return f() end)() end return f()",
            "C stack overflow",
        ),
        (
            "local t = {} for i = 1, 3000 do t[i] = i % 100 end \
             local function f() table.sort(t, function(a, b) f() return a < b end) end f()",
            "C stack overflow",
        ),
        (
            "local m = {} m.__tostring = function() return tostring(setmetatable({}, m)) end \
             return tostring(setmetatable({}, m))",
            "C stack overflow",
        ),
        (
            "local m = {} m.__index = function() return setmetatable({}, m).x end \
             return setmetatable({}, m).x",
            "C stack overflow",
        ),
    ] {
        let reply = eval(&mut client, script);
        assert!(reply.contains(error), "{script}: {}", &reply[..reply.len().min(200)]);
        assert_eq!(eval(&mut client, "return 1"), ":1", "{script}");
    }
    assert_eq!(eval(&mut client, "return string.rep('', 1e15)"), "''");
    // What takes much stack and ends all the same.
    for script in [
        "return (string.find('aaaaaaaaa', string.rep('a?', 2000)))",
        "local n = 0 for _ in string.gmatch(string.rep('a', 2500), string.rep('a?', 2000)) do n = n + 1 end return n - 2",
        "local function f(n) local r string.gsub('a', string.rep('a?', 200), function() r = n > 0 and f(n - 1) or 1 end, 1) \
         return r end return f(150)",
        "local t = {} for i = 1, 900 do t = {t} end return cjson.decode(cjson.encode({1, t}))[1]",
    ] {
        assert_eq!(eval(&mut client, script), ":1", "{script}");
    }
    stop(server);
}

#[test]
fn what_a_script_leaves_behind_no_other_finds() {
    let server = start();
    let mut client = Client::connect(server.addr());
    // Each library, what all strings have in common, and what all scripts have.
    let shared =
        "local shared = {_G, getmetatable(''), string, table, math, coroutine, redis, cjson, bit} ";
    for change in [
        "table.insert(it, 1)",
        "table.insert(it, -1, 1)",
        "table.insert(it, 3, 1)",
        "rawset(it, 1, 1)",
        "it[1] = 1",
        "setmetatable(it, {})",
    ] {
        let each = "for _, it in ipairs(shared) do assert(not pcall(function() ";
        assert_eq!(eval(&mut client, &format!("{shared}{each}{change} end)) end")), "$-1");
    }
    for harmless in ["table.remove(it)", "table.sort(it)", "table.foreach(it, type)"] {
        let each = "for _, it in ipairs(shared) do ";
        assert_eq!(eval(&mut client, &format!("{shared}{each}{harmless} end")), "$-1");
    }
    let find =
        "for _, it in ipairs(shared) do if next(it) then return redis.error_reply('left') end end";
    assert_eq!(eval(&mut client, &format!("{shared}{find}")), "$-1");
    stop(server);
}
