//! The gateway and the facade against nginx as a proxy that adds a token, side by side on the same cores.
//!
//! Each proxy gets core 0 and one worker; the upstream, another nginx, shares core 1 with the load generator.
//! Compared are `proxy_pass` with a token that stands in the configuration, and the lua module that checks the
//! key and reads the token from a shared dictionary, which is what people build. Tokenward authenticates, puts
//! the token into the query and looks into every answer for a refused token.
//!
//! `make bench` runs it. It needs nginx with its lua module, and the binary built with the profile `dist`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

#[path = "bench/duel.rs"]
mod duel;
#[path = "bench/load.rs"]
mod load;
#[path = "bench/subject.rs"]
mod subject;

use duel::{CONNECTIONS, Row, Subject};
use load::Load;
use subject::{Nginx, Tokenward};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    subject::pin(std::process::id(), 1);
    let tokenward = Tokenward::start(folder.path());
    let upstream = Nginx::upstream(folder.path(), tokenward.platform());
    let tokenward = tokenward.calling(folder.path(), upstream.address());
    let plain = Nginx::proxy(folder.path(), upstream.address());
    let lua = Nginx::lua_proxy(folder.path(), upstream.address());
    let load = |address, request: Vec<u8>| Load::connect(address, &request, CONNECTIONS);
    let mut subjects = [
        Subject::new("proxy_pass", load(plain.address(), plain.call("/cgi-bin/user/get")), plain.worker()),
        Subject::new("nginx+lua", load(lua.address(), lua.call("/cgi-bin/user/get")), lua.worker()),
        Subject::new(
            "tokenward",
            load(tokenward.address(), tokenward.call("/v1/call/shop/cgi-bin/user/get")),
            tokenward.pid(),
        ),
        Subject::new("facade", load(tokenward.facade(), tokenward.facade_call()), tokenward.pid()),
    ];
    duel::run(&mut subjects);
    let [plain, lua, tokenward, facade] = &subjects;
    duel::report("gateway", plain, tokenward, &Row::all(">= 1.00", "", ""));
    duel::report("gateway", lua, tokenward, &Row::all(">= 1.15", "", ""));
    duel::report("facade", plain, facade, &Row::all(">= 1.00", "", ""));
    duel::report("facade", lua, facade, &Row::all(">= 1.15", "", ""));
}
