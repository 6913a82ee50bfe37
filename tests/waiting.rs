//! Clients that wait for each other, under threads: transactions that keep sums, queues that lose and
//! double nothing, and everything that ends a wait.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use redist::{Clock, Server};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::client::{Client, frame};
use support::reply::Reply;
use support::watch::{Panics, eventually};

fn start() -> Server {
    Panics::watch();
    Server::builder().port(0).start().unwrap()
}

fn stop(server: Server) {
    server.stop().unwrap();
    Panics::assert_none();
}

fn words(line: &str) -> Vec<u8> {
    frame(&line.split(' ').collect::<Vec<_>>())
}

/// The value of a line of INFO clients.
fn clients_info(observer: &mut Client, name: &str) -> usize {
    let info = observer.ask("INFO clients");
    let value = info.split(&format!("{name}:")).nth(1).expect("INFO shows it");
    value.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// A client whose command waits.
fn waiting(address: SocketAddr, command: &str) -> Client {
    let mut observer = Client::connect(address);
    let before = clients_info(&mut observer, "blocked_clients");
    let mut client = Client::connect(address);
    client.send(&words(command)).unwrap();
    eventually(command, || clients_info(&mut observer, "blocked_clients") > before);
    client
}

fn read(client: &mut Client) -> String {
    client.read().unwrap().to_string()
}

#[test]
fn who_waits_is_served_between_two_requests_of_a_pipeline() {
    let server = start();
    let mut waiter = waiting(server.addr(), "BLPOP list 0");
    let mut pusher = Client::connect(server.addr());
    let pipeline = ["RPUSH list one", "LLEN list", "RPUSH list two", "LLEN list"];
    pusher.send(&pipeline.map(words).concat()).unwrap();
    assert_eq!(pipeline.map(|_| read(&mut pusher)), [":1", ":0", ":1", ":1"]);
    assert_eq!(read(&mut waiter), "['list' 'one']");
    stop(server);
}

#[test]
fn transfers_that_watch_what_they_change_keep_the_sum() {
    const CLIENTS: usize = 8;
    const ACCOUNTS: usize = 100;
    const TRANSFERS: usize = 10_000;
    let server = start();
    let address = server.addr();
    let mut observer = Client::connect(address);
    for account in 0..ACCOUNTS {
        observer.ask(&format!("SET account:{account} 1000"));
    }
    let (done, retried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            let (done, retried) = (&done, &retried);
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed as u64);
                let mut client = Client::connect(address);
                while done.fetch_add(1, Ordering::Relaxed) < TRANSFERS {
                    while !transfer(&mut client, &mut rng) {
                        retried.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // Whoever looks at all accounts at once sees the same sum at any time.
        while done.load(Ordering::Relaxed) < TRANSFERS {
            let all: Vec<String> =
                (0..ACCOUNTS).map(|account| format!("account:{account}")).collect();
            assert_eq!(
                sum(&observer.ask(&format!("MGET {}", all.join(" ")))),
                1000 * ACCOUNTS as i64
            );
        }
    });
    assert!(retried.load(Ordering::Relaxed) > 0, "no two transfers ever met");
    assert_eq!(clients_info(&mut observer, "blocked_clients"), 0);
    stop(server);
}

fn sum(values: &str) -> i64 {
    values.split(['[', ']', ' ', '\'']).filter_map(|value| value.parse::<i64>().ok()).sum()
}

/// Moves an amount between two accounts; `false` if somebody else was faster.
fn transfer(client: &mut Client, rng: &mut fastrand::Rng) -> bool {
    let (from, to) = (rng.usize(..100), rng.usize(..100));
    let amount = rng.i64(1..100);
    assert_eq!(client.ask(&format!("WATCH account:{from} account:{to}")), "+OK");
    let [from_value, to_value] =
        [from, to].map(|account| sum(&client.ask(&format!("GET account:{account}"))));
    if from == to {
        return client.ask("UNWATCH") == "+OK";
    }
    for (command, reply) in [
        ("MULTI".to_owned(), "+OK"),
        (format!("SET account:{from} {}", from_value - amount), "+QUEUED"),
        (format!("SET account:{to} {}", to_value + amount), "+QUEUED"),
    ] {
        assert_eq!(client.ask(&command), reply);
    }
    match client.ask("EXEC").as_str() {
        "[+OK +OK]" => true,
        "*-1" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_thousand_who_wait_get_an_element_each_in_the_order_of_waiting() {
    const CLIENTS: usize = 1000;
    let server = start();
    let address = server.addr();
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|_| waiting(address, "BLPOP queue 0")).collect();
    let mut pusher = Client::connect(address);
    let mut observer = Client::connect(address);
    assert_eq!(clients_info(&mut observer, "total_blocking_keys"), 1);
    for element in 0..CLIENTS {
        assert_eq!(pusher.ask(&format!("RPUSH queue {element}")), ":1");
    }
    for (element, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client), format!("['queue' '{element}']"));
    }
    assert_eq!(pusher.ask("EXISTS queue"), ":0");
    eventually("nobody is blocked", || clients_info(&mut observer, "blocked_clients") == 0);
    stop(server);
}

#[test]
fn elements_of_many_who_push_reach_many_who_pop_once_each() {
    const POPPERS: usize = 16;
    const PUSHERS: usize = 4;
    const ELEMENTS: usize = 2000;
    let server = start();
    let address = server.addr();
    let popped = thread::scope(|scope| {
        for pusher in 0..PUSHERS {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for element in 0..ELEMENTS {
                    // On two keys, by several ways.
                    let (key, element) = (element % 2, format!("{pusher}:{element}"));
                    let command = match fastrand::u8(..3) {
                        0 => format!("RPUSH q{key} {element}"),
                        1 => format!("LPUSH q{key} {element}"),
                        _ => {
                            assert_eq!(client.ask("MULTI"), "+OK");
                            client.ask(&format!("RPUSH q{key} {element}"));
                            "EXEC".to_owned()
                        }
                    };
                    client.ask(&command);
                }
            });
        }
        let poppers: Vec<_> = (0..POPPERS)
            .map(|number| {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    let mut popped = Vec::new();
                    loop {
                        let command = match number % 3 {
                            0 => "BLPOP q0 q1 1",
                            1 => "BRPOP q1 q0 1",
                            _ => "BLMPOP 1 2 q1 q0 LEFT",
                        };
                        match client.ask(command).as_str() {
                            "*-1" => return popped,
                            reply => popped
                                .push(reply.rsplit(' ').next().unwrap().replace([']', '\''], "")),
                        }
                    }
                })
            })
            .collect();
        poppers.into_iter().flat_map(|popper| popper.join().unwrap()).collect::<Vec<_>>()
    });
    let mut sorted = popped.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((sorted.len(), popped.len()), (PUSHERS * ELEMENTS, PUSHERS * ELEMENTS));
    stop(server);
}

#[test]
fn chains_over_many_keys_lose_nothing() {
    const LINKS: usize = 8;
    const ELEMENTS: usize = 500;
    let server = start();
    let address = server.addr();
    thread::scope(|scope| {
        for link in 0..LINKS {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let command = format!("BLMOVE chain{link} chain{} LEFT RIGHT 0", link + 1);
                for _ in 0..ELEMENTS {
                    assert!(client.ask(&command).starts_with('\''));
                }
            });
        }
        scope.spawn(move || {
            let mut client = Client::connect(address);
            for element in 0..ELEMENTS {
                assert_eq!(
                    client.ask(&format!("BLPOP chain{LINKS} 0")),
                    format!("['chain{LINKS}' '{element}']")
                );
            }
        });
        let mut pusher = Client::connect(address);
        for element in 0..ELEMENTS {
            pusher.ask(&format!("RPUSH chain0 {element}"));
        }
    });
    stop(server);
}

#[test]
fn another_client_ends_a_wait() {
    let server = start();
    let mut observer = Client::connect(server.addr());
    for (command, how, reply) in [
        ("BLPOP l 0", "", "*-1"),
        ("BLMOVE l m LEFT LEFT 0", "TIMEOUT", "*-1"),
        ("BZPOPMIN z 100", "ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        let mut client = waiting(server.addr(), command);
        let list = observer.ask("CLIENT LIST");
        let name = format!("cmd={} ", command.split(' ').next().unwrap().to_lowercase());
        let line = list.split("\\n").find(|line| line.contains(&name)).expect("it is listed");
        assert!(line.contains(" flags=b "), "{line}");
        let id = line.split("id=").nth(1).unwrap().split(' ').next().unwrap();
        assert_eq!(observer.ask(&format!("CLIENT UNBLOCK {id} {how}")), ":1");
        assert_eq!(observer.ask(&format!("CLIENT UNBLOCK {id} {how}")), ":0");
        assert_eq!(read(&mut client), reply);
        // It waits for nothing any more.
        observer.ask("RPUSH l a");
        assert_eq!(observer.ask("LPOP l"), "'a'");
        assert_eq!(client.ask("PING"), "+PONG");
    }
    stop(server);
}

#[test]
fn who_hangs_up_while_waiting_loses_nothing_and_is_gone_soon() {
    let server = start();
    let mut observer = Client::connect(server.addr());
    for round in 0..10 {
        let first = waiting(server.addr(), "BLPOP l 0");
        let mut second = waiting(server.addr(), "BLPOP l 0");
        drop(first);
        // What was sent before the end was seen would go to nobody.
        if round % 2 == 0 {
            eventually("one is gone", || clients_info(&mut observer, "blocked_clients") == 1);
        }
        observer.ask(&format!("RPUSH l {round}"));
        assert_eq!(read(&mut second), format!("['l' '{round}']"));
        eventually("both are gone", || clients_info(&mut observer, "blocked_clients") == 0);
    }
    let gone = waiting(server.addr(), "BLPOP l 0");
    drop(gone);
    let hung_up = Instant::now();
    eventually("it is gone", || clients_info(&mut observer, "connected_clients") <= 12);
    eventually("nobody waits", || clients_info(&mut observer, "total_blocking_keys") == 0);
    println!("gone {} ms after it hung up", hung_up.elapsed().as_millis());
    stop(server);
}

#[test]
fn a_stop_wakes_who_waits() {
    let server = start();
    let mut clients: Vec<Client> = ["BLPOP l 0", "BZPOPMIN z 100", "BLMOVE a b LEFT LEFT 0"]
        .into_iter()
        .map(|command| waiting(server.addr(), command))
        .collect();
    stop(server);
    for client in &mut clients {
        assert!(matches!(client.read(), Ok(Reply::Closed) | Err(_)));
    }
}

#[test]
fn a_wait_ends_by_the_servers_clock() {
    let server =
        Server::builder().port(0).clock(Clock::standing_at(1_700_000_000_000)).start().unwrap();
    let mut long = waiting(server.addr(), "BLPOP l 3600");
    let mut short = waiting(server.addr(), "BLPOP l 60.5");
    server.advance(Duration::from_secs(61));
    assert_eq!(read(&mut short), "*-1");
    server.advance(Duration::from_secs(3600));
    assert_eq!(read(&mut long), "*-1");
    server.stop().unwrap();
}

#[test]
fn a_killed_client_waits_no_more() {
    let server = start();
    let mut observer = Client::connect(server.addr());
    let client = waiting(server.addr(), "BLPOP l 0");
    let address = client.stream().local_addr().unwrap();
    assert_eq!(observer.ask(&format!("CLIENT KILL {address}")), "+OK");
    observer.ask("RPUSH l a");
    assert_eq!(observer.ask("LRANGE l 0 -1"), "['a']");
    eventually("nobody waits", || clients_info(&mut observer, "total_blocking_keys") == 0);
    stop(server);
}
