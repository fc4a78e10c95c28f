//! The file behind the memory, when it cannot follow.

use super::*;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

async fn tries(own: &Own) -> [u32; 2] {
    [[1; 16], [2; 16]].map(|key| own.window(key, NOW).tries)
}

#[tokio::test]
async fn what_could_not_be_written_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let own = Own::open(folder.path()).await.unwrap();
    own.count([1; 16], NOW).unwrap();
    let file = own.file.as_ref().unwrap();
    file.refuse(true).await;
    own.write().await.unwrap_err();
    own.count([2; 16], NOW).unwrap();
    file.refuse(false).await;
    own.write().await.unwrap();
    assert_eq!(tries(&Own::open(folder.path()).await.unwrap()).await, [1, 1]);
}

#[tokio::test]
async fn too_many_changes_to_tell_apart_write_the_file_anew() {
    let folder = tempfile::tempdir().unwrap();
    let own = Own::open(folder.path()).await.unwrap();
    own.count([1; 16], NOW).unwrap();
    own.write().await.unwrap();
    own.lock().windows.remove(&[1; 16]);
    own.count([2; 16], NOW).unwrap();
    own.lock().changed = Changed::All;
    own.write().await.unwrap();
    assert_eq!(tries(&Own::open(folder.path()).await.unwrap()).await, [0, 1]);
}
