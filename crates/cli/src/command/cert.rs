//! `tokenward cert`: a private certificate authority for a facade whose SDKs cannot be pointed elsewhere.
//!
//! The authority may vouch for the names it was made for, names below them, the addresses it was made for, and nothing else
//! (RFC 5280 §4.2.1.10), so that whoever trusts it gives away no more than those. A second run keeps the authority and renews the certificate.

use std::fs::Permissions;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::json;
use time::OffsetDateTime;

use crate::failure::Failure;
use crate::output;

/// What the authority calls itself.
const NAME: &str = "Tokenward private CA";
const DAY: i64 = 24 * 60 * 60;
/// Ten years.
const AUTHORITY_DAYS: i64 = 3_650;
/// What all TLS clients accept.
const LONGEST_DAYS: i64 = 825;
/// A longer name than this no resolver knows.
const LONGEST_NAME: usize = 253;

/// The files of a folder.
struct Files {
    ca: PathBuf,
    ca_key: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

/// Whoever vouches for certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// What is to be written of one that is new: its key and its certificate.
    fresh: Option<(Pem, Pem)>,
}

/// The text of a file.
type Pem = String;

/// Makes the authority if there is none, and a certificate for the hosts.
pub fn run(folder: &Path, hosts: &[String], days: u16, as_json: bool) -> Result<(), Failure> {
    let folder = &std::path::absolute(folder).map_err(|error| unwritable(folder, &error))?;
    let file = |name| folder.join(name);
    let files = Files {
        ca: file("ca.pem"),
        ca_key: file("ca-key.pem"),
        cert: file("cert.pem"),
        key: file("key.pem"),
    };
    for host in hosts {
        check_host(host)?;
    }
    let now = Timestamp::now().as_second();
    let authority = if files.ca.exists() { read_authority(&files)? } else { make_authority(hosts, now)? };
    let ends = now + i64::from(days).min(LONGEST_DAYS) * DAY;
    let (key, certificate) = issue(&files, &authority, hosts, now, ends)?;
    // What cannot be used is not written: an authority stays what it was made for.
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    if let Some((key, certificate)) = &authority.fresh {
        write(&files.ca_key, key, 0o600)?;
        write(&files.ca, certificate, 0o644)?;
    }
    write(&files.key, &key, 0o600)?;
    write(&files.cert, &certificate, 0o644)?;
    tell(&files, hosts, authority.fresh.is_some(), ends, as_json);
    Ok(())
}

/// A host is what a client asks for: no pattern of names, no port, nothing in brackets.
fn check_host(host: &str) -> Result<(), Failure> {
    let is_one = ServerName::try_from(host).is_ok() && !host.ends_with('.') && host.len() <= LONGEST_NAME;
    let wrong = || {
        Failure::failed(
            format!("{host:?} cannot be certified: it is no name or address of a host"),
            "Write it as clients do, without a port, brackets, wildcards or a dot at the end.",
        )
    };
    is_one.then_some(()).ok_or_else(wrong)
}

fn authority_params(now: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (moment(now - DAY), moment(now + AUTHORITY_DAYS * DAY));
    params
}

fn make_authority(hosts: &[String], now: i64) -> Result<Authority, Failure> {
    let key = KeyPair::generate().map_err(|error| unsound(&error))?;
    let mut params = authority_params(now);
    params.name_constraints = Some(constraints(hosts));
    let made = params.self_signed(&key).map_err(|error| unsound(&error))?;
    let fresh = Some((key.serialize_pem(), made.pem()));
    Ok(Authority { issuer: Issuer::new(params, key), certificate: made.der().clone(), fresh })
}

/// A constraint binds names of its own kind only: of a kind that none of the hosts is, everything is excluded.
fn constraints(hosts: &[String]) -> NameConstraints {
    let address = |host: &String| host.parse::<IpAddr>().ok();
    let (addresses, names): (Vec<_>, Vec<_>) = hosts.iter().partition(|host| address(host).is_some());
    let single = |address| match address {
        IpAddr::V4(address) => CidrSubnet::V4(address.octets(), [u8::MAX; 4]),
        IpAddr::V6(address) => CidrSubnet::V6(address.octets(), [u8::MAX; 16]),
    };
    let mut excluded_subtrees = Vec::new();
    if names.is_empty() {
        // Every name is below the empty one.
        excluded_subtrees.push(GeneralSubtree::DnsName(String::new()));
    }
    if addresses.is_empty() {
        excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])));
        excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])));
    }
    let names = names.into_iter().map(|name| GeneralSubtree::DnsName(name.clone()));
    let addresses = addresses.into_iter().filter_map(address).map(single).map(GeneralSubtree::IpAddress);
    NameConstraints { permitted_subtrees: names.chain(addresses).collect(), excluded_subtrees }
}

fn read_authority(files: &Files) -> Result<Authority, Failure> {
    let next_step = "Choose another --dir, and let services trust its ca.pem.";
    let text = std::fs::read_to_string(&files.ca_key).map_err(|error| {
        Failure::failed(format!("there is {} and no key for it: {error}", files.ca.display()), next_step)
    })?;
    let key = KeyPair::from_pem(&text).map_err(|error| {
        Failure::failed(format!("{} is no private key: {error}", files.ca_key.display()), next_step)
    })?;
    let certificate = CertificateDer::from_pem_file(&files.ca).map_err(|error| {
        Failure::failed(format!("{} is no certificate: {error}", files.ca.display()), next_step)
    })?;
    Ok(Authority { issuer: Issuer::new(authority_params(0), key), certificate, fresh: None })
}

/// Makes a key and a certificate.
fn issue(
    files: &Files,
    authority: &Authority,
    hosts: &[String],
    now: i64,
    ends: i64,
) -> Result<(Pem, Pem), Failure> {
    let key = KeyPair::generate().map_err(|error| unsound(&error))?;
    let mut params = CertificateParams::new(hosts.to_vec()).map_err(|error| {
        Failure::failed(
            format!("{} cannot be certified: {error}", hosts.join(", ")),
            "Write names or addresses of hosts.",
        )
    })?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Tokenward facade");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (moment(now - DAY), moment(ends));
    let certificate = params.signed_by(&key, &authority.issuer).map_err(|error| unsound(&error))?;
    check(files, authority, certificate.der(), hosts)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

/// Whether a client that trusts the authority will trust the certificate, as a client would find out.
fn check(
    files: &Files,
    authority: &Authority,
    certificate: &CertificateDer<'_>,
    hosts: &[String],
) -> Result<(), Failure> {
    let unusable = |why: String| {
        Failure::failed(
            format!("{} cannot vouch for {}: {why}", files.ca.display(), hosts.join(", ")),
            "Choose another --dir for these hosts, and let services trust its ca.pem.",
        )
    };
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).map_err(|error| unusable(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|error| unusable(error.to_string()))?;
    for host in hosts {
        let name = ServerName::try_from(host.as_str()).map_err(|error| unusable(error.to_string()))?;
        verifier
            .verify_server_cert(certificate, &[], &name, &[], UnixTime::now())
            .map_err(|error| unusable(error.to_string()))?;
    }
    Ok(())
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Whole or not at all: a server may be reading it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        draft.write_all(text.as_bytes())?;
        draft.as_file().set_permissions(Permissions::from_mode(mode))?;
        draft.as_file().sync_all()?;
        draft.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(
        format!("cannot write {}: {error}", path.display()),
        "Choose a --dir that you may write to.",
    )
}

fn unsound(error: &rcgen::Error) -> Failure {
    Failure::failed(format!("cannot make a certificate: {error}"), "Report it: this should not happen.")
}

fn tell(files: &Files, hosts: &[String], made: bool, ends: i64, as_json: bool) {
    let ends = Timestamp::from_second(ends).map_or_else(|_| String::new(), |at| at.to_string());
    if as_json {
        output::json(&json!({
            "ca": files.ca, "cert": files.cert, "key": files.key, "hosts": hosts, "expires_at": ends,
            "new_authority": made,
        }));
        return;
    }
    let (cert, key, ca) = (files.cert.display(), files.key.display(), files.ca.display());
    output::text(&format!("The facade gets its certificate (for {}, until {ends}):", hosts.join(", ")));
    output::text(&format!("  [facade.wechat]\n  tls = {{ cert = \"{cert}\", key = \"{key}\" }}\n"));
    output::text(&format!("Services trust {ca}, by one of:"));
    output::text(&format!(
        "  NODE_EXTRA_CA_CERTS={ca}   Node.js\n  REQUESTS_CA_BUNDLE=bundle.pem   Python (requests)\n  \
         SSL_CERT_FILE=bundle.pem   Go, Ruby, Rust, and whatever uses OpenSSL\n  \
         openssl.cafile and curl.cainfo = bundle.pem   PHP (php.ini)\n\
         where bundle.pem takes the place of the system's list and so has to contain it:\n  \
         cat /etc/ssl/certs/ca-certificates.crt {ca} > bundle.pem"
    ));
    output::remark(&format!(
        "{} can vouch for these hosts, for hosts below them, and for no others. Keep it where only you can read it, or delete it: then the \
         certificate cannot be renewed.",
        files.ca_key.display()
    ));
}
