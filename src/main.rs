//! The program: options, Ctrl-C, run, exit code.

use anyhow::Context;
use redist::Server;

fn main() -> anyhow::Result<()> {
    let server = Server::builder().start().context("cannot start")?;
    let instance = std::sync::Arc::clone(server.instance());
    ctrlc::set_handler(move || {
        if instance.stop.is_requested() {
            std::process::exit(1);
        }
        instance.stop.request();
    })
    .context("cannot catch Ctrl-C")?;
    println!("Ready to accept connections on {}", server.url());
    server.wait().context("stopped")
}
