//! The program: configuration, log, Ctrl-C, run, exit code.
//!
//! It ends with 0 after a clean stop and with 1 after an error, which standard error names.

mod program;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

use anyhow::{Context, anyhow, bail};
use program::Announcement;
use redist::config::{self, Arguments, Loaded, Request, Settings};
use redist::{Clock, REDIS_VERSION, REDIST_VERSION, Server};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::new(arguments()?);
    match arguments.request {
        Some(Request::Help) => {
            print(&config::help())?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Request::Version) => {
            let bits = usize::BITS;
            print(&format!("redist v={REDIST_VERSION} redis={REDIS_VERSION} bits={bits}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Request::CheckSnapshot(None)) => bail!("which file? redist --check-rdb FILE"),
        Some(Request::CheckSnapshot(Some(path))) => return check_snapshot(&path),
        None => {}
    }
    // A variable that is not text can name no directive.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut loaded = Loaded::new(&arguments, environment, &mut io::stdin())?;
    if loaded.settings.dir != "./" {
        let dir = &loaded.settings.dir;
        std::env::set_current_dir(dir).with_context(|| format!("Can't chdir to '{dir}'"))?;
        // A relative path was meant from where we came.
        loaded.settings.dir = "./".to_owned();
    }
    let (logfile, loglevel) = (loaded.settings.logfile.clone(), loaded.settings.loglevel);
    program::start_logging(&logfile, loglevel)
        .with_context(|| format!("Can't open the log file '{logfile}'"))?;
    serve(loaded).inspect_err(|error| {
        // Standard error gets it anyway.
        if !logfile.is_empty() {
            log::error!("{error:#}");
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what is in a snapshot; the exit code says whether redist could load it.
fn check_snapshot(path: &Path) -> anyhow::Result<ExitCode> {
    let report = program::check(path, Clock::system().now_ms())
        .with_context(|| format!("cannot read '{}'", path.display()))?;
    print(&report.text)?;
    Ok(if report.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The arguments behind the program's name.
fn arguments() -> anyhow::Result<Vec<String>> {
    let text = |argument: std::ffi::OsString| {
        argument
            .into_string()
            .map_err(|argument| anyhow!("argument {argument:?} is not UTF-8 text"))
    };
    std::env::args_os().skip(1).map(text).collect()
}

/// Prints to standard output, whose reader may be gone.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Starts the server, tells of it, and waits until it ends.
fn serve(loaded: Loaded) -> anyhow::Result<()> {
    let Loaded { mut settings, file, warnings, .. } = loaded;
    log_start(&warnings, file.as_deref());
    program::make_room(&mut settings).map_err(anyhow::Error::msg)?;
    let server = launch(&settings, file)?;
    let config = &server.instance().config;
    config.add_guard(program::make_room_or_refuse);
    config.add_guard(|_, new| {
        program::write_lines_from(new.loglevel);
        Ok(())
    });
    stop_on_signal(&server)?;
    let server = program::loaded(server, &settings.dbfilename)?;
    let port = server.addr().port();
    log::info!("Running mode=standalone, port={port}.");
    log::info!("Server initialized");
    let announce = |path: &str, line: u32| {
        Announcement::new(path, line).with_context(|| format!("cannot write '{path}'"))
    };
    let pidfile = announce(&settings.pidfile, std::process::id())?;
    let portfile = announce(&settings.port_file, port.into())?;
    log::info!("Ready to accept connections tcp");
    print(&format!("Ready to accept connections on {}\n", server.url()))?;
    server.wait()?;
    drop((pidfile, portfile));
    log::warn!("redist is now ready to exit, bye bye...");
    Ok(())
}

fn log_start(warnings: &[String], file: Option<&Path>) {
    let (bits, process) = (usize::BITS, std::process::id());
    log::info!("oO0OoO0OoO0Oo redist is starting oO0OoO0OoO0Oo");
    log::info!(
        "redist version={REDIST_VERSION}, Redis version={REDIS_VERSION}, bits={bits}, pid={process}, just started"
    );
    match file {
        Some(file) => log::info!("Configuration loaded from {}", file.display()),
        None => log::info!("Configuration loaded"),
    }
    for warning in warnings {
        log::warn!("{warning}");
    }
}

fn launch(settings: &Settings, file: Option<std::path::PathBuf>) -> anyhow::Result<Server> {
    let port = settings.port;
    let mut builder = Server::builder().settings(settings.clone()).keeps_snapshot();
    if let Some(file) = file {
        builder = builder.config_file(file);
    }
    match builder.launch() {
        Ok(server) => Ok(server),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let other = port.checked_add(1).unwrap_or(6380);
            bail!(
                "port {port} is taken, perhaps by another redis-server; \
                 choose another with --port {other}, or --port auto ({error})"
            )
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!(
                "port {port} is for privileged programs; choose one above 1023 with --port ({error})"
            )
        }
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            bail!("{error}; choose addresses of this machine with --bind")
        }
        Err(error) => Err(error).context("cannot start"),
    }
}

/// Ctrl-C asks the server to end; a second one does not wait for it.
fn stop_on_signal(server: &Server) -> anyhow::Result<()> {
    let instance = Arc::clone(server.instance());
    let signalled = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if signalled.swap(true, Ordering::SeqCst) {
            log::warn!("You insist... exiting now.");
            std::process::exit(1);
        }
        log::warn!("Received SIGINT or SIGTERM scheduling shutdown...");
        // On a thread of its own, so that a second signal is heard meanwhile.
        let instance = Arc::clone(&instance);
        std::thread::spawn(move || instance.shut_down());
    })
    .context("cannot catch Ctrl-C")
}
