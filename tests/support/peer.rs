//! Programs that tests compare with or drive. Where one is absent the test says so and passes,
//! unless `REDIST_REQUIRE_PEERS=1`.

use super::client::Client;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whether a program can be started; if not, the test is to be skipped.
pub fn has(program: &str, probe: &[&str]) -> bool {
    let started =
        Command::new(program).args(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if started.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(
        std::env::var_os("REDIST_REQUIRE_PEERS").is_none_or(|value| value != "1"),
        "{program} is required by REDIST_REQUIRE_PEERS and absent"
    );
    println!("skipped: {program} is not installed");
    false
}

/// A folder of this test's own, removed with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("redist-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The real redis-server on a free port, ended with this value.
pub struct RealRedis {
    child: Child,
    address: SocketAddr,
    _folder: Folder,
}

impl RealRedis {
    /// `None` where redis-server is not installed.
    pub fn start(directives: &[(String, String)]) -> Option<Self> {
        if !has("redis-server", &["--version"]) {
            return None;
        }
        // Between choosing a port and taking it somebody else may: then another is chosen.
        (0..10)
            .find_map(|_| Self::try_start(directives))
            .or_else(|| panic!("redis-server does not start"))
    }

    fn try_start(directives: &[(String, String)]) -> Option<Self> {
        let folder = Folder::new();
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"]);
        command.args(["--enable-debug-command", "yes"]).arg("--dir").arg(folder.path());
        for (name, value) in directives {
            command.arg(format!("--{name}")).arg(value);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let patience = Instant::now() + Duration::from_secs(10);
        while Instant::now() < patience && child.try_wait().is_ok_and(|status| status.is_none()) {
            // The port may be somebody else's, who may leave at any moment: only our child tells our child's id.
            let info = TcpStream::connect(address)
                .and_then(|stream| Client::over(stream).request(&["INFO", "server"]));
            if let Ok(info) = info {
                let info = info.to_string();
                if info.contains(&format!("process_id:{}\\r", child.id()))
                    || info.starts_with("-NOAUTH")
                {
                    return Some(Self { child, address, _folder: folder });
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for RealRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
