//! Who has the files of a folder: one gateway at a time, also while it has them closed.

use super::*;

#[test]
fn another_gateway_is_kept_out_while_the_files_are_opened_anew() {
    let bench = Bench::new();
    drop(bench.file.put(Connection::Away));

    assert!(matches!(open(bench.folder.path()), Err(OpenError::InUse { .. })));
    bench.file.close();
    assert!(open(bench.folder.path()).is_ok());
}
