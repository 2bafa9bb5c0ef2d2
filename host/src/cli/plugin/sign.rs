//! `hookgate plugin sign` and `verify`: signatures of plugin files, as minisign writes them.
//!
//! The signature lies beside the file. Which keys a gateway trusts is its configuration's to say.
//! Never asks for a password, and never replaces a key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use crate::cli::secret_file::SecretFile;
use crate::clock::Clock;
use crate::minisign::{self, PublicKey, SecretKey, Signature, signature_of};
use crate::plugin;
use crate::regular_file;

/// Longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Sign a plugin file, and put the signature beside it as FILE.minisig
    Sign {
        /// A .wasm file
        file: PathBuf,
        /// The file of a secret key of minisign without a password
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// What is signed with the file for whoever verifies it; if left out, the time and the name
        /// of the file
        #[arg(long, value_name = "TEXT", value_parser = comment)]
        comment: Option<String>,
        /// Make the key first, and its public key beside it as FILE.pub
        #[arg(long)]
        new_key: bool,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify the signature beside a plugin file
    Verify {
        /// A .wasm file
        file: PathBuf,
        /// A public key of minisign, or its file; with several, one of them must have signed
        #[arg(long = "key", value_name = "KEY|FILE", required = true)]
        keys: Vec<String>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Sign { file, key, comment, new_key, json } => {
            // Before a key is made: the file may be missing.
            let bytes = read(&file)?;
            let key = if new_key { make(&key, json)? } else { secret_key(&key)? };
            let comment = comment.unwrap_or_else(|| time_and_name(&file));
            let path = signature_of(&file);
            publish(&path, &key.sign(&bytes, &comment))
                .with_context(|| format!("failed to write {}", path.display()))?;
            let public = key.public();
            let id = public.id();
            if json {
                let (signature, key) = (path.display().to_string(), public.to_string());
                return say!("{}", json!({ "signature": signature, "key": key }));
            }
            say!("signed {} by the key {id}: {}", file.display(), path.display())
        }
        Command::Verify { file, keys, json } => {
            let keys: Vec<PublicKey> =
                keys.iter().map(|key| public_key(key)).collect::<anyhow::Result<_>>()?;
            let bytes = read(&file)?;
            let path = signature_of(&file);
            let wrong = || format!("the signature {} does not hold", path.display());
            let signature: Signature = text(&path)?.parse().with_context(wrong)?;
            let verified = signature.verify(&bytes, &keys).with_context(wrong)?;
            if json {
                let (key, comment) = (verified.key.to_string(), &verified.comment);
                return say!("{}", json!({ "key": key, "comment": comment }));
            }
            let id = verified.key.id();
            say!("{} is signed by the key {id}: {}", file.display(), verified.comment)
        }
    }
}

/// Reads the signature beside a plugin file and does not verify it. `None` if the signature file is
/// missing.
pub(super) fn found(file: &Path) -> anyhow::Result<Option<Signature>> {
    let path = signature_of(file);
    if !path.exists() {
        return Ok(None);
    }
    let signature: Result<Signature, _> = text(&path)?.parse();
    signature.map(Some).with_context(|| format!("failed to read {}", path.display()))
}

/// Makes a key, and says how a gateway trusts it.
fn make(path: &Path, is_json: bool) -> anyhow::Result<SecretKey> {
    let key = SecretKey::fresh().context("the system has no random bytes")?;
    let public = key.public();
    let mut secret_file = SecretFile::create(path)?;
    let public_path = with_ending(path, "pub");
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&public_path)
        .and_then(|mut file| file.write_all(public.file().as_bytes()))
        .with_context(|| format!("failed to make the file {}", public_path.display()))?;
    secret_file.add(key.file().trim_end())?;
    if is_json {
        // What trusts it stands in the answer.
        return Ok(key);
    }
    say!("made the key {}: {} (secret, without a password)", public.id(), path.display())?;
    say!("                 {} (public)", public_path.display())?;
    say!("trust it with trusted_keys = [\"{public}\"] in [plugins]")?;
    Ok(key)
}

fn secret_key(path: &Path) -> anyhow::Result<SecretKey> {
    let wrong = || format!("failed to read the secret key {}", path.display());
    SecretKey::read(&text(path)?).with_context(wrong)
}

/// A key that is given itself, or by its file.
fn public_key(given: &str) -> anyhow::Result<PublicKey> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let wrong = || format!("failed to read the public key {given}");
    text(Path::new(given)).with_context(wrong)?.parse().with_context(wrong)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    regular_file::read(file, plugin::FILE_BYTES_MAX)
        .with_context(|| format!("failed to read {}", file.display()))
}

/// The text of a file with a key or a signature.
fn text(path: &Path) -> anyhow::Result<String> {
    let failed = || format!("failed to read {}", path.display());
    let bytes = regular_file::read(path, minisign::FILE_BYTES_MAX).with_context(failed)?;
    String::from_utf8(bytes).with_context(failed)
}

/// Puts a signature in its place whole, because a gateway may be watching.
fn publish(path: &Path, signature: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut part = tempfile::Builder::new().prefix(".sign-").tempfile_in(folder)?;
    part.write_all(signature.as_bytes())?;
    fs::set_permissions(part.path(), PermissionsExt::from_mode(0o644))?;
    part.persist(path)?;
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// What minisign signs beside a file where nobody says anything.
fn time_and_name(file: &Path) -> String {
    let seconds = Clock::System.now().0 / 1_000;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("timestamp:{seconds}\tfile:{}\thashed", name.replace(char::is_control, " "))
}

fn comment(text: &str) -> Result<String, String> {
    if text.len() > COMMENT_BYTES_MAX || text.contains(char::is_control) {
        return Err(format!("a comment is one line of at most {COMMENT_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(file: &Path, key: &Path, new_key: bool) -> anyhow::Result<()> {
        let (file, key) = (file.to_owned(), key.to_owned());
        run(Command::Sign { file, key, comment: None, new_key, json: false })
    }

    fn verify(file: &Path, key: &str) -> anyhow::Result<()> {
        run(Command::Verify { file: file.to_owned(), keys: vec![key.to_owned()], json: false })
    }

    #[test]
    fn what_is_signed_verifies_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let [file, key, public] =
            ["a.wasm", "team.key", "team.key.pub"].map(|name| folder.path().join(name));
        assert!(sign(&file, &key, true).is_err() && !key.exists(), "there is nothing to sign");

        fs::write(&file, "abc").unwrap();
        sign(&file, &key, true).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let line: PublicKey = fs::read_to_string(&public).unwrap().parse().unwrap();
        verify(&file, public.to_str().unwrap()).unwrap();
        verify(&file, &line.to_string()).unwrap();
        assert_eq!(found(&file).unwrap().unwrap().key(), line.id());

        let made = fs::read(&key).unwrap();
        assert!(sign(&file, &key, true).is_err(), "a key is never replaced");
        assert_eq!(fs::read(&key).unwrap(), made);
        fs::write(&file, "abd").unwrap();
        let error = verify(&file, &line.to_string()).unwrap_err();
        assert!(format!("{error:#}").contains("has not signed these bytes"), "{error:#}");
        sign(&file, &key, false).unwrap();
        verify(&file, &line.to_string()).unwrap();
    }

    #[test]
    fn a_key_is_not_made_over_a_public_one_and_nothing_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let [file, key, public] =
            ["a.wasm", "team.key", "team.key.pub"].map(|name| folder.path().join(name));
        fs::write(&file, "abc").unwrap();
        fs::write(&public, "of another key").unwrap();
        assert!(sign(&file, &key, true).is_err());
        assert!(!key.exists() && !signature_of(&file).exists());
        assert_eq!(fs::read(&public).unwrap(), b"of another key");
    }

    #[test]
    fn a_comment_is_one_short_line() {
        assert_eq!(comment("release 7").as_deref(), Ok("release 7"));
        assert!(comment("a\nb").is_err() && comment(&"x".repeat(1_001)).is_err());
    }
}
