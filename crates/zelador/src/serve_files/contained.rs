//! Files of one folder, and of nothing outside of it.
//!
//! The kernel itself refuses to leave the folder (`openat2` with `RESOLVE_BENEATH`), so no link, `..`
//! or exchange of folders in between gets around it. What is refused is not there.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, ReadBuf};
use tower_http::services::fs::{Backend, File};

/// A folder.
#[derive(Clone, Debug)]
pub struct Contained(Arc<OwnedFd>);

/// An open file of it.
#[derive(Debug)]
pub struct Opened(tokio::fs::File);

/// The largest page that is read as a whole, in bytes.
const LARGEST_PAGE: u64 = 8 << 20;

/// The only name with a dot at its beginning that is served: RFC 8615.
const WELL_KNOWN: &str = ".well-known";

impl Contained {
    /// Opens the folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(Arc::new(rustix::fs::openat(CWD, folder, flags, Mode::empty())?)))
    }

    /// Opens something in it; waits for the disk.
    fn open_now(&self, path: &Path) -> io::Result<std::fs::File> {
        let not_there = || io::Error::from(io::ErrorKind::NotFound);
        let is_hidden = |name: &std::ffi::OsStr| {
            name.as_encoded_bytes().starts_with(b".") && name != WELL_KNOWN
        };
        if path.iter().any(|name| name != "." && is_hidden(name)) {
            return Err(not_there());
        }
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        // A pipe would be waited for without this.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = rustix::fs::openat2(&*self.0, path, flags, Mode::empty(), resolve);
        let file = std::fs::File::from(opened.map_err(|_| not_there())?);
        let metadata = file.metadata()?;
        if metadata.is_file() || metadata.is_dir() { Ok(file) } else { Err(not_there()) }
    }

    async fn open_later(self, path: PathBuf) -> io::Result<std::fs::File> {
        tokio::task::spawn_blocking(move || self.open_now(&path)).await.map_err(io::Error::other)?
    }

    /// Returns a whole page; `None` if it is not there.
    pub async fn page(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.clone().open_later(PathBuf::from(path)).await.ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        let read = tokio::fs::File::from_std(file).take(LARGEST_PAGE).read_to_end(&mut bytes).await;
        read.ok().map(|_| bytes)
    }

    /// Returns the names in a folder, folders with a slash at their end; `None` if it is none.
    pub async fn names(&self, path: PathBuf) -> Option<Vec<String>> {
        let folder = self.clone().open_later(path).await.ok()?;
        tokio::task::spawn_blocking(move || {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&folder).ok()?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_folder = entry.file_type() == rustix::fs::FileType::Directory;
                if !name.starts_with('.') {
                    names.push(if is_folder { format!("{name}/") } else { name });
                }
            }
            names.sort();
            Some(names)
        })
        .await
        .ok()?
    }
}

type Later<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Backend for Contained {
    type File = Opened;
    type Metadata = std::fs::Metadata;
    type OpenFuture = Later<Opened>;
    type MetadataFuture = Later<std::fs::Metadata>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let file = self.clone().open_later(path);
        Box::pin(async move { Ok(Opened(tokio::fs::File::from_std(file.await?))) })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let file = self.clone().open_later(path);
        Box::pin(async move { file.await?.metadata() })
    }
}

impl File for Opened {
    type Metadata = std::fs::Metadata;
    type MetadataFuture<'a> =
        Pin<Box<dyn Future<Output = io::Result<std::fs::Metadata>> + Send + 'a>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        Box::pin(self.0.metadata())
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.0).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.0).poll_complete(context)
    }
}
