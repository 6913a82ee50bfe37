//! Transcripts: sessions as a person would type and see them, and the runner that plays them.
//!
//! The notation is described in `tests/transcripts/README.txt`.

use super::client::{Client, frame};
use super::peer::{Folder, RealRedis};
use super::reply::Reply;
use redist::{Clock, Server, protocol::split_inline};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One file.
pub struct Transcript {
    pub path: PathBuf,
    lines: Vec<String>,
    sections: Vec<Section>,
}

/// What is played against a fresh server.
#[derive(Default)]
struct Section {
    title: String,
    config: Vec<(String, String)>,
    skip_real: bool,
    only: Option<Resp>,
    steps: Vec<Step>,
}

struct Step {
    /// Index of the line in the file.
    line: usize,
    action: Action,
    expected: Option<Expected>,
}

enum Action {
    Request {
        client: usize,
        words: Vec<Vec<u8>>,
    },
    Inline {
        client: usize,
        text: String,
    },
    /// Bytes that come without being asked for.
    Push {
        client: usize,
    },
    Advance(Duration),
    Close {
        client: usize,
    },
}

#[derive(Default)]
struct Expected {
    resp2: String,
    resp3: Option<String>,
    real: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resp {
    Two,
    Three,
}

/// Whom a transcript is played to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Redist,
    Real,
}

impl Side {
    /// How often a section may be played until its replies are as expected.
    ///
    /// Our clock stands still, the real server's does not: a second that ends between two requests
    /// shows in the replies that count seconds (OBJECT IDLETIME, TTL), and is as right as what is
    /// written.
    fn plays_max(self) -> usize {
        match self {
            Self::Redist => 1,
            Self::Real => 3,
        }
    }
}

impl Transcript {
    /// Every file of the folder, by name.
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
            .filter(|path| path.file_stem().is_some_and(|stem| stem != "README"))
            .collect();
        paths.sort();
        // TRANSCRIPT=name plays one file alone.
        if let Ok(only) = std::env::var("TRANSCRIPT") {
            paths.retain(|path| path.file_stem().is_some_and(|stem| *stem == *only));
        }
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("a transcript is text");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut sections: Vec<Section> = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            let fail =
                |why: &str| -> ! { panic!("{}:{}: {why}: {line}", path.display(), number + 1) };
            if let Some(title) = line.strip_prefix("## ") {
                sections.push(Section { title: title.to_owned(), ..Section::default() });
                continue;
            }
            if line.trim().is_empty() || line.starts_with("# ") || line == "#" {
                continue;
            }
            let Some(section) = sections.last_mut() else { fail("before the first section") };
            if let Some(directive) = line.strip_prefix('@') {
                let Some(action) = section.directive(directive) else { continue };
                section.steps.push(Step { line: number, action, expected: None });
            } else if let Some((client, text)) = prefixed(line, "> ") {
                let Some(words) = split_inline(text.as_bytes()) else {
                    fail("quotes do not balance")
                };
                let action = Action::Request { client, words };
                section.steps.push(Step { line: number, action, expected: None });
            } else if let Some((client, text)) = prefixed(line, "i> ") {
                let action = Action::Inline { client, text: text.to_owned() };
                section.steps.push(Step { line: number, action, expected: None });
            } else {
                let Some(step) = section.steps.last_mut() else { fail("a reply to nothing") };
                if let Some(resp3) = line.strip_prefix("3| ") {
                    step.expected.get_or_insert_default().resp3 = Some(resp3.to_owned());
                } else if let Some(real) = line.strip_prefix("7.0| ") {
                    let Some((reply, _why)) = real.split_once("  # ") else {
                        fail("a difference without a reason")
                    };
                    step.expected.get_or_insert_default().real = Some(reply.to_owned());
                } else if step.expected.is_some() {
                    fail("a second reply");
                } else {
                    step.expected = Some(Expected { resp2: line.clone(), ..Expected::default() });
                }
            }
        }
        Self { path, lines, sections }
    }

    /// Every request's words, for tests that want to know what is covered.
    pub fn requests(&self) -> impl Iterator<Item = Vec<Vec<u8>>> + '_ {
        let steps = self.sections.iter().flat_map(|section| &section.steps);
        steps.filter_map(|step| match &step.action {
            Action::Request { words, .. } => Some(words.clone()),
            Action::Inline { text, .. } => split_inline(text.as_bytes()),
            _ => None,
        })
    }

    /// Plays every section and gives what was not as expected.
    pub fn play(&self, side: Side, resp: Resp) -> Vec<String> {
        let mut failures = Vec::new();
        let mut shared_real = None;
        for section in &self.sections {
            if section.only.is_some_and(|only| only != resp)
                || (side == Side::Real && section.skip_real)
            {
                continue;
            }
            let mut differences = Vec::new();
            for _ in 0..side.plays_max() {
                let Some(target) = Target::start(side, section, &mut shared_real) else {
                    return failures;
                };
                differences = Play::new(self, side, resp, target).run(section);
                if differences.is_empty() {
                    break;
                }
                // It may not have come to the steps that undo what the section configures.
                shared_real = None;
            }
            failures.append(&mut differences);
        }
        failures
    }

    /// Writes the replies that are missing: the real server's, or ours where it is not asked.
    pub fn bless(&self) {
        let mut added: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let mut shared_real = None;
        for section in &self.sections {
            let missing = |step: &Step| step.expected.is_none() && step.action.has_reply();
            if !section.steps.iter().any(missing) {
                continue;
            }
            let side = if section.skip_real { Side::Redist } else { Side::Real };
            let mut replies: BTreeMap<usize, [Option<String>; 2]> = BTreeMap::new();
            for (index, resp) in [Resp::Two, Resp::Three].into_iter().enumerate() {
                if section.only.is_some_and(|only| only != resp) {
                    continue;
                }
                let Some(target) = Target::start(side, section, &mut shared_real) else { return };
                let mut play = Play::new(self, side, resp, target);
                for step in &section.steps {
                    let reply = play.step(step);
                    if missing(step) {
                        replies.entry(step.line).or_default()[index] = reply;
                    }
                }
            }
            for (line, [resp2, resp3]) in replies {
                let lines = added.entry(line).or_default();
                let first = resp2.clone().or(resp3.clone()).unwrap_or_default();
                lines.push(first.clone());
                lines.extend(
                    resp3
                        .filter(|resp3| *resp3 != as_resp3(&first))
                        .map(|resp3| format!("3| {resp3}")),
                );
            }
        }
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            text.push_str(line);
            text.push('\n');
            for reply in added.get(&number).into_iter().flatten() {
                text.push_str(reply);
                text.push('\n');
            }
        }
        std::fs::write(&self.path, text).expect("the transcript is writable");
    }
}

impl Section {
    fn directive(&mut self, text: &str) -> Option<Action> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let rest = text[name.len()..].trim();
        let number = || rest.parse::<u64>().unwrap_or_else(|_| panic!("@{text}: not a number"));
        match name {
            "skip-real" => self.skip_real = true,
            "only-resp2" => self.only = Some(Resp::Two),
            "only-resp3" => self.only = Some(Resp::Three),
            "config" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.config.push((name.to_owned(), value.to_owned()));
            }
            "advance" => return Some(Action::Advance(Duration::from_millis(number()))),
            "close" => return Some(Action::Close { client: number() as usize }),
            "push" => return Some(Action::Push { client: number() as usize }),
            other => panic!("unknown directive @{other}"),
        }
        None
    }
}

impl Action {
    fn has_reply(&self) -> bool {
        matches!(self, Self::Request { .. } | Self::Inline { .. } | Self::Push { .. })
    }
}

/// Splits `2> GET k` into client and text; without a number it is client 1.
fn prefixed<'a>(line: &'a str, mark: &str) -> Option<(usize, &'a str)> {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let text = line[digits..].strip_prefix(mark)?;
    Some((line[..digits].parse().unwrap_or(1), text))
}

/// A server to play to.
enum Target {
    Redist(Server, #[allow(dead_code)] Folder),
    /// Shared between sections, or of this section alone.
    Real(SocketAddr, #[allow(dead_code)] Option<RealRedis>),
}

impl Target {
    fn start(side: Side, section: &Section, shared: &mut Option<RealRedis>) -> Option<Self> {
        if side == Side::Redist {
            // A clock that stands still: what is due is due by @advance alone.
            let folder = Folder::new();
            let clock = Clock::standing_at(1_700_000_000_000);
            let mut builder = Server::builder().port(0).clock(clock);
            builder = configure(builder, "dir", &folder.path().to_string_lossy());
            for (name, value) in &section.config {
                builder = configure(builder, name, value);
            }
            return Some(Self::Redist(builder.start().expect("a server starts"), folder));
        }
        if !section.config.is_empty() {
            let real = RealRedis::start(&section.config)?;
            return Some(Self::Real(real.address(), Some(real)));
        }
        if shared.is_none() {
            *shared = Some(RealRedis::start(&[])?);
        }
        let address = shared.as_ref()?.address();
        let mut client = Client::connect(address);
        for line in
            ["FLUSHALL", "CONFIG RESETSTAT", "SLOWLOG RESET", "FUNCTION FLUSH", "SCRIPT FLUSH"]
        {
            client.ask(line);
        }
        Some(Self::Real(address, None))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Redist(server, _) => server.addr(),
            Self::Real(address, _) => *address,
        }
    }
}

fn configure(builder: redist::Builder, name: &str, value: &str) -> redist::Builder {
    builder.directive(name, value).expect("a transcript names directives that exist")
}

struct Play<'t> {
    transcript: &'t Transcript,
    side: Side,
    resp: Resp,
    target: Target,
    clients: BTreeMap<usize, Client>,
    /// Clients whose command waits.
    waiting: BTreeSet<usize>,
}

impl<'t> Play<'t> {
    fn new(transcript: &'t Transcript, side: Side, resp: Resp, target: Target) -> Self {
        let (clients, waiting) = (BTreeMap::new(), BTreeSet::new());
        Self { transcript, side, resp, target, clients, waiting }
    }

    /// Plays one section and gives what was not as expected.
    fn run(&mut self, section: &Section) -> Vec<String> {
        let mut failures = Vec::new();
        for step in &section.steps {
            let Some(reply) = self.step(step) else { continue };
            let expected = step.expected.as_ref().map(|expected| self.expectation(expected));
            let as_expected = expected.as_ref().is_some_and(|expected| matches(expected, &reply));
            if !as_expected {
                failures.push(self.failure(section, step, expected.as_deref(), &reply));
            }
            // After a reply too many or too few, nothing that follows means anything.
            if reply.starts_with("no reply") {
                return failures;
            }
        }
        for (number, client) in &mut self.clients {
            if let Some(bytes) = client.unexpected() {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                failures.push(format!(
                    "{}: client {number} got more than it asked for: {text:?}",
                    section.title
                ));
            }
        }
        failures
    }

    fn failure(
        &self,
        section: &Section,
        step: &Step,
        expected: Option<&str>,
        reply: &str,
    ) -> String {
        format!(
            "{}:{} ({:?}, RESP{:?}; {})\n    {}\n    expected {}\n    got      {reply}",
            self.transcript.path.display(),
            step.line + 1,
            self.side,
            self.resp,
            section.title,
            self.transcript.lines[step.line],
            expected.unwrap_or("(no reply is written down: REDIST_BLESS=1 writes it)"),
        )
    }

    fn expectation(&self, expected: &Expected) -> String {
        match (self.side, self.resp) {
            (Side::Real, _) if expected.real.is_some() => {
                let real = expected.real.clone().unwrap_or_default();
                if self.resp == Resp::Three { as_resp3(&real) } else { real }
            }
            (_, Resp::Two) => expected.resp2.clone(),
            (_, Resp::Three) => expected.resp3.clone().unwrap_or_else(|| as_resp3(&expected.resp2)),
        }
    }

    fn client(&mut self, number: usize) -> &mut Client {
        let (address, resp) = (self.target.address(), self.resp);
        self.clients.entry(number).or_insert_with(|| {
            let mut client = Client::connect(address);
            if resp == Resp::Three {
                client.ask("HELLO 3");
            }
            client
        })
    }

    /// Does one step; gives the reply's text form if one is to be there already.
    fn step(&mut self, step: &Step) -> Option<String> {
        let expected = step.expected.as_ref().map(|expected| expected.resp2.as_str());
        if !matches!(expected, Some("nothing" | "waits")) {
            let reply = self.act(step);
            return step.action.has_reply().then_some(reply);
        }
        self.act_without_reply(step);
        if expected == Some("waits") {
            self.await_blocked(step);
        }
        None
    }

    /// Waits until the server says that so many clients are blocked as should be.
    fn await_blocked(&mut self, step: &Step) {
        if let Action::Request { client, .. } = &step.action {
            self.waiting.insert(*client);
        }
        let wanted = self.waiting.len();
        let mut observer = Client::connect(self.target.address());
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let info = observer.ask("INFO clients");
            let blocked = info.split("blocked_clients:").nth(1).expect("INFO counts them");
            let digits = blocked.find(|c: char| !c.is_ascii_digit()).unwrap_or(blocked.len());
            if blocked[..digits].parse::<usize>().is_ok_and(|blocked| blocked >= wanted) {
                return;
            }
            let line = &self.transcript.lines[step.line];
            assert!(Instant::now() < patience, "{line} does not wait: {wanted} clients should");
            std::thread::yield_now();
        }
    }

    fn act_without_reply(&mut self, step: &Step) {
        match &step.action {
            Action::Request { client, words } => {
                let frame = frame(words);
                self.client(*client).send(&frame).expect("the server reads");
            }
            Action::Inline { client, text } => {
                let line = format!("{text}\r\n");
                self.client(*client).send(line.as_bytes()).expect("the server reads");
            }
            _ => panic!("only a request can be answered by nothing"),
        }
    }

    /// Does one step and gives the reply's text form.
    fn act(&mut self, step: &Step) -> String {
        match &step.action {
            Action::Advance(time) => match &self.target {
                Target::Redist(server, _) => server.advance(*time),
                // The real server has only the real clock.
                Target::Real(..) => std::thread::sleep(*time),
            },
            Action::Close { client } => {
                self.waiting.remove(client);
                drop(self.clients.remove(client));
            }
            Action::Push { client } => {
                let reply = text_of(self.client(*client).read());
                self.waiting.remove(client);
                return reply;
            }
            Action::Request { client, .. } | Action::Inline { client, .. } => {
                self.act_without_reply(step);
                return text_of(self.client(*client).read());
            }
        }
        String::new()
    }
}

fn text_of(reply: std::io::Result<Reply>) -> String {
    reply.map_or_else(|error| format!("no reply: {error}"), |reply| reply.to_string())
}

/// How RESP3 writes a RESP2 reply if nothing else is said: nulls alone look different.
fn as_resp3(text: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !quoted && (rest.starts_with("$-1") || rest.starts_with("*-1")) {
            out.push('_');
            rest = &rest[3..];
            continue;
        }
        if quoted && first == '\\' {
            let escaped: String = rest.chars().take(2).collect();
            rest = &rest[escaped.len()..];
            out.push_str(&escaped);
            continue;
        }
        // Errors and statuses are text to the end of the line, in which an apostrophe is just that.
        if out.is_empty() && matches!(first, '-' | '+' | '/') {
            return text.to_owned();
        }
        quoted ^= first == '\'';
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

fn matches(expected: &str, reply: &str) -> bool {
    if expected == "* " || expected == "*" {
        return !reply.starts_with("no reply");
    }
    if let Some(expected) = expected.strip_prefix("any-order ") {
        return in_order(expected) == in_order(reply);
    }
    if let Some(pattern) = expected.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        let pattern = format!("^(?:{pattern})$");
        return regex_lite::Regex::new(&pattern).expect("a valid pattern").is_match(reply);
    }
    expected == reply
}

/// The elements of an aggregate, sorted; of a map its pairs.
fn in_order(text: &str) -> Vec<String> {
    let open = text.find(['[', '{']).map_or(0, |at| at + 1);
    let inner = &text[open..text.len().saturating_sub(1).max(open)];
    let mut elements = vec![String::new()];
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for c in inner.chars() {
        match c {
            ' ' if depth == 0 && !quoted => {
                elements.push(String::new());
                continue;
            }
            '\'' if !escaped => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        elements.last_mut().expect("never empty").push(c);
    }
    let step = if text.starts_with('%') { 2 } else { 1 };
    let mut groups: Vec<String> = elements.chunks(step).map(|group| group.join(" ")).collect();
    groups.sort();
    groups.insert(0, text[..open].to_owned());
    groups
}
