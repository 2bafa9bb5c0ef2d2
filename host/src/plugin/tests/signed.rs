//! Files that load only if somebody has signed them.

use std::os::unix::fs::symlink;
use std::time::Instant;

use super::folders::version;
use super::*;
use crate::minisign::{SecretKey, SignatureError, signature_of};

/// A folder with a plugin, and whom its operator may trust.
struct Signing {
    plugins: Plugins,
    folder: Folder,
    host: Host,
    one: SecretKey,
    other: SecretKey,
}

impl Signing {
    /// In which nobody is trusted in particular.
    fn new() -> Self {
        let plugins = Plugins::new();
        let folder = Folder::new(plugins.path());
        let [one, other] = [(); 2].map(|()| SecretKey::fresh().unwrap());
        Self { plugins, folder, host: host(), one, other }
    }

    fn trust(&mut self, keys: &[PublicKey]) {
        self.folder.trust(&Arc::from(keys));
    }

    /// Signs the plugin as it is now.
    fn sign(&self, key: &SecretKey) {
        let file = self.plugins.path().join("chat.wasm");
        let signature = key.sign(&fs::read(&file).unwrap(), "a test");
        fs::write(signature_of(&file), signature).unwrap();
    }

    /// What became of the only file.
    fn only(&mut self) -> Reloaded {
        let mut results = self.folder.rescan(&self.host).unwrap();
        assert_eq!(results.len(), 1, "{results:?}");
        results.remove(0).1
    }

    /// Whose signature the plugin has that is loaded now.
    fn loaded(&mut self) -> Option<PublicKey> {
        match self.only() {
            Reloaded::Loaded(plugin) => plugin.signed_by().copied(),
            other => panic!("{other:?}"),
        }
    }

    /// Why nothing is loaded.
    fn kept(&mut self) -> LoadError {
        match self.only() {
            Reloaded::Kept(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_file_loads_only_if_a_key_that_is_trusted_has_signed_it() {
    let mut signing = Signing::new();
    let (one, other) = (signing.one.public(), signing.other.public());
    signing.trust(&[one]);

    signing.plugins.put("chat.wasm", &version("1"));
    assert!(matches!(signing.kept(), LoadError::Unsigned));
    assert!(matches!(signing.only(), Reloaded::Unchanged), "it is said once");
    signing.sign(&signing.other);
    let LoadError::Signature(error) = signing.kept() else { panic!("another error") };
    assert_eq!(error, SignatureError::UnknownKey(other.id()));
    signing.sign(&signing.one);
    assert_eq!(signing.loaded(), Some(one));
    assert!(matches!(signing.only(), Reloaded::Unchanged));

    signing.plugins.put("chat.wasm", &version("2"));
    let LoadError::Signature(error) = signing.kept() else { panic!("another error") };
    assert_eq!(error, SignatureError::OtherBytes(one.id()));
    signing.sign(&signing.one);
    assert_eq!(signing.loaded(), Some(one));
    for wrong in [&b"no signature"[..], b"\xff", &[b'x'; 20_000]] {
        signing.plugins.put("chat.wasm.minisig", wrong);
        let LoadError::Signature(error) = signing.kept() else { panic!("another error") };
        assert_eq!(error, SignatureError::Malformed);
    }
    let signature = signature_of(&signing.plugins.path().join("chat.wasm"));
    fs::remove_file(&signature).unwrap();
    assert!(matches!(signing.kept(), LoadError::Unsigned));
    fs::create_dir(&signature).unwrap();
    assert!(matches!(signing.kept(), LoadError::Signature(SignatureError::Malformed)));
}

#[test]
fn other_keys_have_each_file_looked_at_again() {
    let mut signing = Signing::new();
    let (one, other) = (signing.one.public(), signing.other.public());
    signing.plugins.put("chat.wasm", &version("1"));
    assert_eq!(signing.loaded(), None);
    signing.sign(&signing.one);
    assert!(matches!(signing.only(), Reloaded::Unchanged), "nobody asks for a signature");

    signing.trust(&[one]);
    assert_eq!(signing.loaded(), Some(one));
    signing.trust(&[one]);
    assert!(matches!(signing.only(), Reloaded::Unchanged), "the same keys");
    signing.trust(&[other]);
    let LoadError::Signature(error) = signing.kept() else { panic!("another error") };
    assert_eq!(error, SignatureError::UnknownKey(one.id()));
    signing.trust(&[other, one]);
    assert_eq!(signing.loaded(), Some(one));
    signing.trust(&[]);
    assert_eq!(signing.loaded(), None);
}

#[test]
fn a_file_is_verified_before_it_is_compiled_and_again_as_it_is() {
    let mut signing = Signing::new();
    let cache = tempfile::tempdir().unwrap();
    let config = Config::new(Compiler::InProcess, Some(cache.path().to_owned()));
    signing.host = Host::new(config).unwrap();
    let one = signing.one.public();
    signing.trust(&[one]);
    let look = |signing: &mut Signing| {
        signing.folder.look(&signing.host, &Wish::default(), Instant::now()).unwrap()
    };

    signing.plugins.put("chat.wasm", &version("1"));
    assert!(look(&mut signing).jobs.is_empty(), "nobody has signed it");
    signing.sign(&signing.one);
    let job = look(&mut signing).jobs.remove(0);
    let loaded = job.load(&signing.host).unwrap();
    assert_eq!(loaded.signed_by(), Some(&one));
    signing.trust(&[]);
    let finished = signing.folder.finish(&job, Ok(loaded), Instant::now());
    assert!(finished.is_none(), "it was loaded for others: {finished:?}");
}

#[test]
fn a_signature_may_be_a_link_within_the_folder_only() {
    let mut signing = Signing::new();
    let one = signing.one.public();
    signing.trust(&[one]);
    let [within, beyond] = [signing.plugins.path(), Plugins::new().folder.keep()];
    fs::create_dir(within.join("..data")).unwrap();
    for folder in [&within.join("..data"), &beyond] {
        fs::write(folder.join("chat.wasm"), version("1")).unwrap();
        let signature = signing.one.sign(&version("1"), "a test");
        fs::write(folder.join("chat.wasm.minisig"), signature).unwrap();
    }
    symlink("..data/chat.wasm", within.join("chat.wasm")).unwrap();
    let link = within.join("chat.wasm.minisig");
    symlink(beyond.join("chat.wasm.minisig"), &link).unwrap();
    assert!(matches!(signing.kept(), LoadError::Outside));
    fs::remove_file(&link).unwrap();
    symlink("..data/chat.wasm.minisig", &link).unwrap();
    assert_eq!(signing.loaded(), Some(one));
    fs::remove_dir_all(beyond).unwrap();
}

/// Without `end_promotions` a kill between the two moves leaves a file that nobody has signed.
#[test]
fn a_promotion_that_was_cut_off_before_the_signature_ends_at_the_next_look() {
    let mut signing = Signing::new();
    let one = signing.one.public();
    signing.trust(&[one]);
    signing.plugins.put("chat.wasm", &version("1"));
    signing.sign(&signing.one);
    assert_eq!(signing.loaded(), Some(one));
    let left = signing.plugins.path().join("chat@next.wasm.minisig");
    fs::write(&left, signing.one.sign(&version("3"), "of another file")).unwrap();

    signing.plugins.put("chat.wasm", &version("2"));
    assert!(matches!(signing.kept(), LoadError::Signature(SignatureError::OtherBytes(_))));
    assert!(left.exists());

    fs::write(&left, signing.one.sign(&version("2"), "of this file")).unwrap();
    assert_eq!(signing.loaded(), Some(one));
    assert!(!left.exists());
}
