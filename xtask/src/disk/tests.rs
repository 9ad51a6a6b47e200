//! Reads made disks back: by the libraries that read foreign disks, and byte by byte where the specifications say.

use super::*;
use std::io::Read;

const KERNEL_BYTES: usize = 1_234_567;

fn kernel() -> Vec<u8> {
    (0..KERNEL_BYTES).map(|index| (index * 7 + index / 512) as u8).collect()
}

fn disk() -> Vec<u8> {
    build(&[(LOADER, b"MZ loader"), (KERNEL, &kernel()), (OPTIONS, b"bringup=parallel")]).unwrap()
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()).into()
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Goal: the files are on the disk; method: find the partition and read them as one reads any disk.
#[test]
fn files_come_back() {
    let mut disk = disk();
    let table = GptConfig::new().open_from_device(Cursor::new(&mut disk[..])).unwrap();
    assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
    let partitions: Vec<_> = table.partitions().values().filter(|partition| partition.is_used()).cloned().collect();
    let [system] = &partitions[..] else { panic!("there are {} partitions", partitions.len()) };
    assert_eq!(system.part_type_guid, partition_types::EFI);
    let (first, last) = (system.first_lba as usize, system.last_lba as usize);
    let volume =
        FileSystem::new(Cursor::new(&mut disk[first * SECTOR..(last + 1) * SECTOR]), FsOptions::new()).unwrap();
    assert_eq!(volume.fat_type(), FatType::Fat32);
    assert!(!volume.read_status_flags().unwrap().dirty());
    let read = |path: &str| {
        let mut bytes = Vec::new();
        volume.root_dir().open_file(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(read("/efi/boot/bootx64.efi"), b"MZ loader");
    assert!(read(KERNEL) == kernel());
    assert_eq!(read(OPTIONS), b"bringup=parallel");
}

/// Goal: firmware finds what it looks for; method: the numbers of UEFI's "GPT Disk Layout" and of the FAT specification
/// at their places.
#[test]
fn layout() {
    let disk = disk();
    // Protective MBR: type EEh from sector 1 to the end, and the signature.
    assert_eq!((disk[0x1be + 4], u32_at(&disk, 0x1be + 8)), (0xee, 1));
    assert_eq!(u32_at(&disk, 0x1be + 12), disk.len() / SECTOR - 1);
    assert_eq!(disk[510..512], [0x55, 0xaa]);
    // The header, and its copy in the last sector.
    for header in [SECTOR, disk.len() - SECTOR] {
        assert_eq!(disk[header..header + 8], *b"EFI PART");
        let own_sector = u32_at(&disk, header + 24);
        assert_eq!(own_sector * SECTOR, header);
        let entries = u32_at(&disk, header + 72) * SECTOR;
        // C12A7328-F81F-11D2-BA4B-00A0C93EC93B: the first three groups are little-endian.
        let system = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        assert_eq!(disk[entries..entries + 16], system);
        assert_eq!(u32_at(&disk, entries + 32), FIRST_SECTOR);
        assert_eq!(u32_at(&disk, entries + 40), FIRST_SECTOR + PARTITION_SECTORS - 1);
    }
    let fat = &disk[FIRST_SECTOR * SECTOR..];
    assert_eq!(fat[510..512], [0x55, 0xaa]);
    assert_eq!((u16_at(fat, 11), u32_at(fat, 32)), (SECTOR, PARTITION_SECTORS));
    let (per_cluster, reserved, fats, fat_sectors) =
        (usize::from(fat[13]), u16_at(fat, 14), usize::from(fat[16]), u32_at(fat, 36));
    // What makes it FAT32, and nothing else does.
    assert!((PARTITION_SECTORS - reserved - fats * fat_sectors) / per_cluster >= 65525);
}

/// Goal: the same files make the same disk, other files one that can be told from it; method: three disks.
#[test]
fn identity() {
    assert!(disk() == disk());
    let other = build(&[(LOADER, b"MZ loader")]).unwrap();
    let guid = |disk: &[u8]| disk[SECTOR + 56..SECTOR + 72].to_vec();
    assert_ne!(guid(&disk()), guid(&other));
}

/// Goal: files that do not fit are named; method: one as large as the partition.
#[test]
fn too_large() {
    let error = build(&[(KERNEL, &vec![1; PARTITION_SECTORS * SECTOR])]).unwrap_err();
    assert!(format!("{error:#}").contains(KERNEL), "{error:#}");
}

/// Goal: holes in the file are zeroes; method: write, read, compare.
#[test]
fn written() {
    let path = std::env::temp_dir().join(format!("firstlight-disk-{}.img", std::process::id()));
    write(&disk(), &path).unwrap();
    let read = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(read == disk());
}
