//! The entries of a tar stream, in order, each with its contents; proves at the end that all of it was read.

use super::damage::{Broken, Damage, Wrong};
use super::feed::{Feed, cut};
use super::forms;
use super::header::{BLOCK, Header, text};
use super::open::{self, Ending, Seal, Source};
use super::pax::{self, Pax};
use crate::archive::{Entry, HEAD_MARK, TRAILER_MARK, header, trailer};
use crate::proto::archive::Counts;

/// Headers that may precede one entry; three are usual.
const HEADERS_MOST: usize = 64;

/// Reads an archive.
pub struct Reader<S> {
    feed: Feed<S>,
    globals: Pax,
    /// JSON of our head.
    head: Option<Vec<u8>>,
    /// The first `./`, which the trailer repeats.
    top: Option<Entry>,
    /// Bytes of contents, and of what fills up their last block, that were not read yet.
    left: u64,
    padding: u64,
    counts: Counts,
    started: bool,
    /// The entry that is read.
    path: Vec<u8>,
    /// Set at the end: the digest, for an archive of ours.
    ended: Option<Option<[u8; 32]>>,
}

impl<S> std::fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("counts", &self.counts)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// What stands before an entry's own header.
#[derive(Default)]
struct Ahead {
    pax: Option<Pax>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

/// What a header came to.
enum Met {
    Entry(Box<Entry>),
    Trailer,
    /// Something that is passed over.
    Nothing,
}

impl<S: Source> Reader<S> {
    /// Reads from the start.
    pub fn new(source: S) -> Self {
        Self {
            feed: Feed::new(source),
            globals: Pax::default(),
            head: None,
            top: None,
            left: 0,
            padding: 0,
            counts: Counts::default(),
            started: false,
            path: Vec::new(),
            ended: None,
        }
    }

    /// The JSON of the archive's head, once the first entry was asked for; `None` for an archive of another program.
    pub fn head(&self) -> Option<&[u8]> {
        self.head.as_deref()
    }

    /// Entries so far, and bytes of contents, counted when their entry is met.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of the tar stream so far.
    pub fn offset(&self) -> u64 {
        self.feed.offset()
    }

    /// The digest of the tar stream before its trailer, once [`Self::next`] gave `None`; `None` for an archive of another
    /// program.
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.ended.flatten()
    }

    /// What stands around the stream; of its end only once [`Self::next`] gave `None` or failed.
    pub fn ending(&self) -> Ending {
        self.feed.ending()
    }

    /// The next entry; passes over what was not read of the last one. `None` means that the archive is whole: for ours,
    /// trailer and seal are right and nothing follows; another program's was read to its end mark and decompressed to
    /// the end of the file.
    ///
    /// # Errors
    ///
    /// What is wrong with the archive. After an error there is nothing more to read.
    #[expect(clippy::should_implement_trait, reason = "an entry's contents borrow the reader")]
    pub fn next(&mut self) -> Result<Option<Entry>, Damage> {
        if self.ended.is_some() {
            return Ok(None);
        }
        self.advance().map_err(|broken| self.damage(broken))
    }

    /// The next bytes of the entry's contents: for a sparse file, of its data without the holes. None at their end.
    ///
    /// # Errors
    ///
    /// What is wrong with the archive.
    pub fn contents(&mut self) -> Result<&[u8], Damage> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (path, offset) = (&self.path, self.feed.offset());
        match self.feed.peek() {
            Ok([]) => Err(cut().at(path, offset)),
            Ok(bytes) => Ok(&bytes[..bytes.len().min(left)]),
            Err(broken) => Err(broken.at(path, offset)),
        }
    }

    /// Takes bytes that [`Self::contents`] gave.
    pub fn consume(&mut self, count: usize) {
        let count = usize::try_from(self.left).map_or(count, |left| count.min(left));
        self.feed.consume(count);
        self.left -= count as u64;
    }

    /// Whether what was read so far may be the start of an archive of ours that was cut: it is one, or nothing, or compressed
    /// data that ends before it tells.
    pub(crate) fn begins_ours(&self) -> bool {
        let start = self.feed.start();
        let cut_magic = open::MAGICS.iter().any(|magic| magic.starts_with(start));
        self.feed.broke() || cut_magic || header::begins(start)
    }

    /// Where the bytes come from.
    pub(crate) fn source(&mut self) -> &mut S {
        self.feed.source()
    }

    fn damage(&self, broken: Broken) -> Damage {
        broken.at(&self.path, self.feed.offset())
    }

    fn advance(&mut self) -> Result<Option<Entry>, Broken> {
        self.feed.skip(self.left)?;
        self.left = 0;
        self.feed.skip(std::mem::take(&mut self.padding))?;
        loop {
            self.feed.hold();
            match self.entry()? {
                Some(Met::Entry(entry)) => {
                    self.feed.release();
                    self.counts.entries += 1;
                    self.counts.bytes += entry.form.stored();
                    self.path.clone_from(&entry.path);
                    if self.top.is_none() && entry.path.is_empty() && self.head.is_some() {
                        self.top = Some((*entry).clone());
                    }
                    return Ok(Some(*entry));
                }
                Some(Met::Nothing) => self.feed.release(),
                Some(Met::Trailer) => {
                    self.ended = Some(Some(self.prove()?));
                    return Ok(None);
                }
                None => {
                    self.feed.release();
                    self.end()?;
                    self.ended = Some(None);
                    return Ok(None);
                }
            }
        }
    }

    /// Compares the trailer, whose headers were just read, and what follows.
    fn prove(&mut self) -> Result<[u8; 32], Broken> {
        let (held, digest) = self.feed.cut();
        let top = self.top.as_ref().ok_or_else(|| Broken::corrupt("its top is missing"))?;
        if held != trailer(top, self.counts, digest) {
            return Err(Broken::corrupt(
                "its trailer says other entries, bytes or another digest than were read",
            ));
        }
        self.path.clear();
        for _ in 0..2 {
            let block = self.feed.block()?.ok_or_else(cut)?;
            if !Header(&block).is_zero() {
                return Err(Broken::corrupt("its end mark is none"));
            }
        }
        if !self.feed.peek()?.is_empty() {
            return Err(Broken::corrupt("something follows its end"));
        }
        match self.feed.ending().seal {
            Seal::Right => Ok(digest),
            Seal::Absent => Err(Broken::new(Wrong::Truncated, "the seal behind its end is missing")),
            Seal::Wrong => Err(Broken::corrupt(
                "the seal behind its end is wrong, or something follows it",
            )),
        }
    }

    /// Behind the last entry of an archive without a trailer: reads all that there is, so that it is decompressed whole.
    fn end(&mut self) -> Result<(), Broken> {
        if self.head.is_some() {
            return Err(Broken::corrupt("its end mark comes before its trailer"));
        }
        loop {
            let count = self.feed.peek()?.len();
            if count == 0 {
                return Ok(());
            }
            self.feed.consume(count);
        }
    }

    /// Reads headers up to one entry's own; `None` at the end mark.
    fn entry(&mut self) -> Result<Option<Met>, Broken> {
        let mut ahead = Ahead::default();
        let mut held = 0;
        for _ in 0..HEADERS_MOST {
            let Some(block) = self.feed.block()? else {
                return Err(self.no_end());
            };
            let header = Header(&block);
            if header.is_zero() {
                return self.end_mark().map(|()| None);
            }
            header.check()?;
            if matches!(header.kind(), b'x' | b'X' | b'L' | b'K') {
                // All of it is in memory until the entry's own header has come.
                held += header.size()?;
                if held > pax::MOST + 2 * pax::NAME_MOST {
                    return Err(Broken::corrupt("the headers of one entry are too long"));
                }
            }
            match header.kind() {
                b'x' | b'X' => {
                    let records = self.records(&header)?;
                    let mut pax = self.globals.clone();
                    pax.take(&records)?;
                    ahead.pax = Some(pax);
                }
                b'g' => {
                    let records = self.records(&header)?;
                    self.global(&records)?;
                    return Ok(Some(Met::Nothing));
                }
                b'L' => ahead.name = Some(self.long(&header)?),
                b'K' => ahead.link = Some(self.long(&header)?),
                // A volume's label, or another program's access control list: neither is an entry.
                b'V' | b'A' => {
                    self.contents_of(header.size()?);
                    return Ok(Some(Met::Nothing));
                }
                _ => return self.own(&header, ahead).map(Some),
            }
            self.started = true;
        }
        Err(Broken::corrupt("too many headers precede one entry"))
    }

    /// The stream ends without an end mark.
    fn no_end(&self) -> Broken {
        match (self.started, self.head.is_some()) {
            (_, true) => Broken::new(Wrong::Truncated, "its trailer is missing"),
            (true, false) => Broken::new(Wrong::Truncated, "its end mark is missing"),
            (false, false) => Broken::new(Wrong::Truncated, "it is empty"),
        }
    }

    /// Behind one block of zeros: a second one, or the end of a stream that is filled up no further.
    fn end_mark(&mut self) -> Result<(), Broken> {
        match self.feed.block()? {
            Some(block) if !Header(&block).is_zero() => {
                Err(Broken::corrupt("a block of zeros stands among its entries"))
            }
            Some(_) => Ok(()),
            None if self.started => Ok(()),
            None => Err(cut()),
        }
    }

    fn records(&mut self, header: &Header<'_>) -> Result<Vec<u8>, Broken> {
        self.meta(header, pax::MOST, "an extended header is too long")
    }

    fn long(&mut self, header: &Header<'_>) -> Result<Vec<u8>, Broken> {
        let name = self.meta(header, pax::NAME_MOST, "a name is too long")?;
        Ok(text(&name).to_vec())
    }

    /// Reads what follows a header that is about another one.
    fn meta(&mut self, header: &Header<'_>, most: u64, too_long: &str) -> Result<Vec<u8>, Broken> {
        let size = header.size()?;
        let length = usize::try_from(size).ok().filter(|_| size <= most);
        let length = length.ok_or_else(|| Broken::corrupt(too_long))?;
        let bytes = self.feed.exact(length)?;
        self.feed.skip(fill(size))?;
        Ok(bytes)
    }

    fn global(&mut self, records: &[u8]) -> Result<(), Broken> {
        self.globals.take(records)?;
        let head = self.globals.comment.as_deref();
        let head = head.and_then(|comment| comment.strip_prefix(HEAD_MARK.as_bytes()));
        if let Some(head) = head.filter(|_| !self.started) {
            self.head = Some(head.to_vec());
            self.globals = Pax::default();
        }
        // Every entry gets what is global, and a comment is about none.
        self.globals.comment = None;
        self.started = true;
        Ok(())
    }

    /// Contents follow, and what fills up their last block.
    fn contents_of(&mut self, size: u64) {
        self.left = size;
        self.padding = fill(size);
    }

    /// An entry's own header.
    fn own(&mut self, header: &Header<'_>, ahead: Ahead) -> Result<Met, Broken> {
        self.started = true;
        let Ahead { pax, name, link } = ahead;
        let mut pax = pax.unwrap_or_else(|| self.globals.clone());
        let raw = pax.path.take().or(name).unwrap_or_else(|| header.name());
        if raw.is_empty() {
            return Err(Broken::corrupt("an entry has no name"));
        }
        let path = forms::plain(&raw);
        self.path.clone_from(&path);
        let ours = pax
            .comment
            .as_deref()
            .is_some_and(|comment| comment.starts_with(TRAILER_MARK.as_bytes()));
        if ours && path.is_empty() {
            return match self.head {
                Some(_) => Ok(Met::Trailer),
                None => Err(Broken::corrupt("there is a trailer, but no head")),
            };
        }
        let link = pax.link.take().or(link).unwrap_or_else(|| header.link());
        let (entry, stored) = forms::entry(header, pax, &raw, link, &mut self.feed)?;
        self.contents_of(stored);
        Ok(Met::Entry(Box::new(entry)))
    }
}

/// Bytes that fill up the last block.
fn fill(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}
