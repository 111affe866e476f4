//! Where the configuration is, and where the server is.

use std::path::{Path, PathBuf};

use tokenward_client::Client;
use tokenward_server::config::Config;

use crate::failure::Failure;

const DEFAULT_CONFIG: &str = "tokenward.toml";
const DEFAULT_DATA_DIR: &str = "tokenward-data";
const DEFAULT_URL: &str = "http://127.0.0.1:7600";

/// The configuration file that is meant.
pub fn config_path(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| PathBuf::from(DEFAULT_CONFIG), Path::to_owned)
}

/// The server that is meant: by its admin socket if that is there, else by `TOKENWARD_URL` with
/// `TOKENWARD_KEY`.
pub fn server(config: Option<&Path>) -> Result<Client, Failure> {
    let socket = tokenward_server::admin_socket(&data_dir(config)?);
    let why_not = match std::os::unix::net::UnixStream::connect(&socket) {
        Ok(_) => return Ok(Client::admin(&socket)?),
        Err(error) => error,
    };
    let url = std::env::var("TOKENWARD_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
    let Ok(key) = std::env::var("TOKENWARD_KEY") else {
        if why_not.kind() == std::io::ErrorKind::PermissionDenied {
            return Err(Failure::failed(
                format!(
                    "this user may not open the admin socket {}, and TOKENWARD_KEY is not set",
                    socket.display()
                ),
                "Run the command as the user that Tokenward runs as, or set TOKENWARD_URL and TOKENWARD_KEY.",
            ));
        }
        return Err(Failure::failed(
            format!("no server answers at {}, and TOKENWARD_KEY is not set", socket.display()),
            "Start the server here with `tokenward serve`, or set TOKENWARD_URL and TOKENWARD_KEY.",
        ));
    };
    Ok(Client::new(&url, &key)?)
}

fn data_dir(config: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = config_path(config);
    if config.is_none() && !path.exists() {
        return Ok(PathBuf::from(DEFAULT_DATA_DIR));
    }
    Ok(Config::load(&path)?.server.data_dir)
}
