//! A disk that UEFI firmware boots: a GUID partition table, one EFI system partition, and on its FAT the loader, the kernel
//! and the kernel's options (UEFI specification, "GUID Partition Table (GPT) Disk Layout" and "File System Format").
//!
//! Used by `image.rs` (for a USB stick) and `qemu.rs`. The same files make the same bytes on every computer.

use anyhow::{Context, Result};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::{GptConfig, disk::LogicalBlockSize, mbr::ProtectiveMBR, partition::Partition, partition_types};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;
use uuid::Uuid;

/// Bytes of a sector.
const SECTOR: usize = 512;
/// Where the partition begins: 1 MiB, as everybody aligns partitions.
const FIRST_SECTOR: usize = 2048;
/// FAT32 has at least 65525 clusters; with clusters of a sector this is twice as many.
const PARTITION_SECTORS: usize = 131_072;
/// Behind the partition: the copy of the table takes 33 sectors.
const LAST_SECTORS: usize = 2048;
const DISK_BYTES: usize = (FIRST_SECTOR + PARTITION_SECTORS + LAST_SECTORS) * SECTOR;

/// Where firmware looks for what to start from a removable medium (UEFI specification, "Removable Media Boot Behavior").
pub const LOADER: &str = "EFI/BOOT/BOOTX64.EFI";
/// Where our loader looks (`loader/src/bootx64/files.rs`).
pub const KERNEL: &str = "firstlight/kernel.elf";
/// The kernel's options, likewise.
pub const OPTIONS: &str = "firstlight/options.txt";

/// A file by its path, folders separated by `/`, and its bytes.
pub type Item<'a> = (&'a str, &'a [u8]);

/// Makes the disk's bytes.
///
/// # Errors
/// The files do not fit, or have names that FAT does not take.
pub fn build(files: &[Item<'_>]) -> Result<Vec<u8>> {
    let mut disk = vec![0; DISK_BYTES];
    let identity = Identity::of(files);
    partition_table(&mut disk, &identity).context("the partition table cannot be made")?;
    let partition = disk.get_mut(FIRST_SECTOR * SECTOR..).and_then(|rest| rest.get_mut(..PARTITION_SECTORS * SECTOR));
    file_system(partition.context("the disk is smaller than its partition")?, files, &identity)?;
    Ok(disk)
}

/// Writes a disk to a file; stretches of zeroes become holes, where the file system has such.
///
/// # Errors
/// The file cannot be written.
pub fn write(disk: &[u8], path: &Path) -> Result<()> {
    const BLOCK: usize = 1 << 16;
    let write = || {
        let mut file = File::create(path)?;
        file.set_len(disk.len() as u64)?;
        for (index, block) in disk.chunks(BLOCK).enumerate().filter(|(_, block)| block.iter().any(|byte| *byte != 0)) {
            file.seek(SeekFrom::Start((index * BLOCK) as u64))?;
            file.write_all(block)?;
        }
        Ok::<(), std::io::Error>(())
    };
    write().with_context(|| format!("the disk {} cannot be written", path.display()))
}

/// What tells this disk from others: made from what is on it, so that the same files make the same disk.
struct Identity {
    disk: Uuid,
    partition: Uuid,
    volume: u32,
}

impl Identity {
    fn of(files: &[Item<'_>]) -> Self {
        let mut hash = Sha256::new();
        for (path, bytes) in files {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let half = |at: usize| std::array::from_fn(|index| hash[at + index]);
        // Version 8 (RFC 9562): free of meaning but for version and variant.
        let uuid = |bytes| uuid::Builder::from_custom_bytes(bytes).into_uuid();
        let (disk, partition): (Uuid, Uuid) = (uuid(half(0)), uuid(half(16)));
        Self { disk, partition, volume: u32::from_le_bytes(std::array::from_fn(|index| hash[index])) }
    }
}

fn partition_table(disk: &mut [u8], identity: &Identity) -> Result<()> {
    let sectors = u32::try_from(disk.len() / SECTOR)?;
    let mut device = Cursor::new(disk);
    // Tools that know nothing of GPT see one partition that takes the whole disk.
    ProtectiveMBR::with_lb_size(sectors - 1).overwrite_lba0(&mut device)?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(device, Some(identity.disk))?;
    let first_lba = FIRST_SECTOR as u64;
    let system_partition = Partition {
        part_type_guid: partition_types::EFI,
        part_guid: identity.partition,
        first_lba,
        last_lba: first_lba + PARTITION_SECTORS as u64 - 1,
        flags: 0,
        name: "Firstlight".to_string(),
    };
    table.update_partitions([(1, system_partition)].into())?;
    table.write()?;
    Ok(())
}

fn file_system(partition: &mut [u8], files: &[Item<'_>], identity: &Identity) -> Result<()> {
    let mut device = Cursor::new(partition);
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_sector(SECTOR as u16)
        .bytes_per_cluster(SECTOR as u32)
        .total_sectors(PARTITION_SECTORS as u32)
        .volume_id(identity.volume)
        .volume_label(*b"FIRSTLIGHT ");
    fatfs::format_volume(&mut device, options).context("the file system cannot be made")?;
    device.set_position(0);
    let volume = FileSystem::new(device, FsOptions::new()).context("the new file system cannot be opened")?;
    for (path, bytes) in files {
        let failed = || format!("{path} cannot be put on the disk ({} bytes)", bytes.len());
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        for folder in folders {
            volume.root_dir().create_dir(folder).with_context(failed)?;
        }
        let mut file = volume.root_dir().create_file(path).with_context(failed)?;
        file.write_all(bytes).and_then(|()| file.flush()).with_context(failed)?;
    }
    volume.unmount().context("the file system cannot be closed")
}

#[cfg(test)]
mod tests;
