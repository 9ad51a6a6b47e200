//! Variables in a piece of memory that may be anything at first: records one behind the other, like a log.
//!
//! ```text
//!   "FLVARS01"   then records, each a multiple of 4 bytes:
//!   u32 state (1 valid, 0 deleted, else: free from here on)   u32 attributes   u32 name bytes   u32 data bytes
//!   16 bytes vendor   name (UTF-16 with its zero)   data
//! ```
//!
//! A new value is appended before the old one is deleted; what is deleted is squeezed out when there is no room left.

const MAGIC: &[u8; 8] = b"FLVARS01";
const HEADER: usize = 32;
const VALID: u32 = 1;
const DELETED: u32 = 0;

/// A variable in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Attributes, as SetVariable got them.
    pub attributes: u32,
    /// Whose it is.
    pub vendor: [u8; 16],
    /// UTF-16, little endian, with its zero.
    pub name: &'a [u8],
    /// Its value.
    pub data: &'a [u8],
    start: usize,
    state: u32,
}

impl Record<'_> {
    fn end(&self) -> usize {
        self.start + length(self.name.len(), self.data.len())
    }
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Bytes of a record.
fn length(name: usize, data: usize) -> usize {
    (HEADER + name + data).next_multiple_of(4)
}

/// It was never made ready for variables: whatever is in it, these are none.
pub fn is_foreign(memory: &[u8]) -> bool {
    !memory.starts_with(MAGIC)
}

/// Makes memory that holds no variables ready for some.
pub fn format_if_foreign(memory: &mut [u8]) {
    if memory.len() >= MAGIC.len() && is_foreign(memory) {
        memory.fill(0xff);
        memory[..MAGIC.len()].copy_from_slice(MAGIC);
    }
}

fn all(memory: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut at = MAGIC.len();
    core::iter::from_fn(move || {
        let record = read(memory, at)?;
        at = record.end();
        Some(record)
    })
}

/// The variables, in the order in which they came.
pub fn records(memory: &[u8]) -> impl Iterator<Item = Record<'_>> {
    all(memory).filter(|record| record.state == VALID)
}

fn read(memory: &[u8], at: usize) -> Option<Record<'_>> {
    let word = |offset: usize| Some(u32::from_le_bytes(*memory.get(at + offset..)?.first_chunk()?));
    let state = word(0)?;
    if state != VALID && state != DELETED {
        return None;
    }
    let (name, data) = (word(8)? as usize, word(12)? as usize);
    // Whatever is in the memory: lengths that do not fit end the list.
    let body = memory.get(at + HEADER..)?;
    let end = name.checked_add(data)?;
    let record = Record {
        attributes: word(4)?,
        vendor: *memory.get(at + 16..)?.first_chunk()?,
        name: body.get(..name)?,
        data: body.get(name..end)?,
        start: at,
        state,
    };
    (record.end() <= memory.len()).then_some(record)
}

/// The variable of that name.
pub fn find<'a>(memory: &'a [u8], vendor: &[u8; 16], name: &[u8]) -> Option<Record<'a>> {
    records(memory).find(|record| record.vendor == *vendor && record.name == name)
}

/// Bytes that records take up, from the first byte of memory on, with those that are deleted.
pub fn used(memory: &[u8]) -> usize {
    all(memory).last().map_or(MAGIC.len(), |record| record.end())
}

/// Bytes that are left for records, once those that are deleted are squeezed out.
pub fn free(memory: &[u8]) -> usize {
    let kept: usize = records(memory).map(|record| length(record.name.len(), record.data.len())).sum();
    memory.len().saturating_sub(MAGIC.len() + kept)
}

/// The longest name and data together that one variable can have in memory of this size.
pub fn largest(memory: &[u8]) -> usize {
    memory.len().saturating_sub(MAGIC.len() + HEADER)
}

/// Gives a variable a value; empty: deletes it.
///
/// # Errors
/// [`Full`]; the old value stays.
pub fn set(memory: &mut [u8], (vendor, name): (&[u8; 16], &[u8]), attributes: u32, data: &[u8]) -> Result<(), Full> {
    let old = find(memory, vendor, name).map(|record| (record.start, length(record.name.len(), record.data.len())));
    if data.is_empty() {
        if let Some((start, _)) = old {
            delete(memory, start);
        }
        return Ok(());
    }
    let needed = HEADER.checked_add(name.len()).and_then(|n| n.checked_add(data.len())).ok_or(Full)?;
    if needed > memory.len() || length(name.len(), data.len()) > free(memory) + old.map_or(0, |(_, bytes)| bytes) {
        return Err(Full);
    }
    if used(memory) + length(name.len(), data.len()) > memory.len() {
        // Nothing else would fit: the old value goes first.
        if let Some((start, _)) = old {
            delete(memory, start);
        }
        squeeze(memory);
    }
    let old = find(memory, vendor, name).map(|record| record.start);
    let at = used(memory);
    let record = memory.get_mut(at..at + length(name.len(), data.len())).ok_or(Full)?;
    record[4..8].copy_from_slice(&attributes.to_le_bytes());
    record[8..12].copy_from_slice(&(name.len() as u32).to_le_bytes());
    record[12..16].copy_from_slice(&(data.len() as u32).to_le_bytes());
    record[16..32].copy_from_slice(vendor);
    record[HEADER..HEADER + name.len()].copy_from_slice(name);
    record[HEADER + name.len()..HEADER + name.len() + data.len()].copy_from_slice(data);
    // Last: until now it is free memory.
    record[..4].copy_from_slice(&VALID.to_le_bytes());
    if let Some(start) = old {
        delete(memory, start);
    }
    Ok(())
}

fn delete(memory: &mut [u8], start: usize) {
    memory[start..start + 4].copy_from_slice(&DELETED.to_le_bytes());
}

/// Moves the records that are valid together and makes the rest free.
fn squeeze(memory: &mut [u8]) {
    let (mut from, mut to) = (MAGIC.len(), MAGIC.len());
    while let Some(record) = read(memory, from) {
        let (start, end, keep) = (record.start, record.end(), record.state == VALID);
        if keep {
            memory.copy_within(start..end, to);
            to += end - start;
        }
        from = end;
    }
    memory[to..].fill(0xff);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: [u8; 16] = [1; 16];
    const YOU: [u8; 16] = [2; 16];

    fn memory(bytes: usize) -> Vec<u8> {
        let mut memory = vec![0; bytes];
        format_if_foreign(&mut memory);
        memory
    }

    fn value(memory: &[u8], vendor: &[u8; 16], name: &[u8]) -> Option<(u32, Vec<u8>)> {
        find(memory, vendor, name).map(|record| (record.attributes, record.data.to_vec()))
    }

    /// Goal: variables are kept by vendor and name, replaced and deleted; a kept memory is read again. Method: each in turn.
    #[test]
    fn set_find_delete() {
        let mut memory = memory(512);
        set(&mut memory, (&ME, b"a\0\0\0"), 7, b"one").unwrap();
        set(&mut memory, (&YOU, b"a\0\0\0"), 6, b"two").unwrap();
        set(&mut memory, (&ME, b"b\0\0\0"), 7, b"three").unwrap();
        assert_eq!(value(&memory, &ME, b"a\0\0\0"), Some((7, b"one".to_vec())));
        assert_eq!(value(&memory, &YOU, b"a\0\0\0"), Some((6, b"two".to_vec())));
        set(&mut memory, (&ME, b"a\0\0\0"), 7, b"another").unwrap();
        assert_eq!(value(&memory, &ME, b"a\0\0\0"), Some((7, b"another".to_vec())));
        set(&mut memory, (&YOU, b"a\0\0\0"), 7, b"").unwrap();
        assert_eq!(value(&memory, &YOU, b"a\0\0\0"), None);
        format_if_foreign(&mut memory);
        let names: Vec<_> = records(&memory).map(|record| (record.vendor[0], record.name[0])).collect();
        assert_eq!(names, [(1, b'b'), (1, b'a')]);
    }

    /// Goal: deleted room is used again, and what does not fit changes nothing. Method: one variable many times, then one that is
    /// too large.
    #[test]
    fn room() {
        let mut memory = memory(256);
        let empty = free(&memory);
        for round in 0..100u8 {
            set(&mut memory, (&ME, b"n\0\0\0"), 7, &[round; 100]).unwrap();
        }
        assert_eq!(value(&memory, &ME, b"n\0\0\0"), Some((7, vec![99; 100])));
        assert_eq!(set(&mut memory, (&ME, b"m\0\0\0"), 7, &[0; 100]), Err(Full));
        assert_eq!(set(&mut memory, (&ME, b"n\0\0\0"), 7, &[0; 4000]), Err(Full));
        assert_eq!(value(&memory, &ME, b"n\0\0\0"), Some((7, vec![99; 100])));
        let most = largest(&memory) - 4;
        set(&mut memory, (&ME, b"n\0\0\0"), 7, &vec![5; most]).unwrap();
        assert_eq!(free(&memory), 0);
        set(&mut memory, (&ME, b"n\0\0\0"), 7, b"").unwrap();
        assert_eq!(free(&memory), empty);
    }

    /// Goal: foreign bytes are no variables and no panic. Method: zeros, lengths beyond the end, random bytes behind the magic.
    #[test]
    fn foreign_memory() {
        let mut zeros = vec![0; 64];
        format_if_foreign(&mut zeros);
        assert_eq!(records(&zeros).count(), 0);
        let mut word = 12345u32;
        for _ in 0..2000 {
            let mut bytes: Vec<u8> = MAGIC.to_vec();
            for _ in 0..30 {
                word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.extend_from_slice(&(word >> (word % 32)).to_le_bytes());
            }
            assert!(records(&bytes).all(|record| record.end() <= bytes.len()));
            // It may be full; that is all that may be.
            let _ = set(&mut bytes, (&ME, b"x\0\0\0"), 7, b"value");
            assert!(records(&bytes).count() <= bytes.len() / HEADER);
        }
        format_if_foreign(&mut []);
    }
}
