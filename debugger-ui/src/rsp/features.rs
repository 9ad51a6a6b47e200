//! What a server says it can do (`qSupported`), and which registers it has (`target.xml`).

use std::collections::BTreeMap;

/// The words to send: what this client understands.
pub const QUERY: &str = "qSupported:multiprocess-;swbreak+;hwbreak+;vContSupported+;qFirstlight+";

/// What a server supports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    words: BTreeMap<String, String>,
}

impl Features {
    /// Reads the reply to [`QUERY`].
    pub fn parse(reply: &[u8]) -> Self {
        let text = String::from_utf8_lossy(reply);
        let words = text.split(';').filter_map(|word| match word.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => {
                let (last, sign) = word.char_indices().next_back()?;
                Some((word[..last].to_owned(), sign.to_string()))
            }
        });
        Self { words: words.collect() }
    }

    /// A feature is there: `name+`.
    pub fn has(&self, name: &str) -> bool {
        self.words.get(name).is_some_and(|sign| sign == "+")
    }

    /// Firstlight's vendor packets.
    pub fn vendor(&self) -> bool {
        self.has(protocol::wire::FEATURE.trim_end_matches('+'))
    }

    /// The largest packet that the server takes, in bytes.
    pub fn packet_size(&self) -> usize {
        let told = self.words.get("PacketSize").and_then(|digits| usize::from_str_radix(digits, 16).ok());
        told.unwrap_or(1024)
    }
}

/// A register of a server: where it stands in the `g` packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Name, lower case.
    pub name: String,
    /// Number, for `p` and `P`.
    pub number: usize,
    /// Offset in the `g` packet, in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// The files that a target description includes.
pub fn includes(xml: &str) -> Vec<String> {
    let xml = without_prefix(xml);
    let Ok(document) = parse_xml(&xml) else { return Vec::new() };
    let nodes = document.descendants().filter(|node| node.tag_name().name() == "include");
    nodes.filter_map(|node| node.attribute("href").map(str::to_owned)).collect()
}

/// The registers of a target description, given with its includes in order. In the `g` packet they stand in the order
/// of their numbers.
pub fn registers(files: &[String]) -> Result<Vec<Register>, String> {
    let mut found: BTreeMap<usize, (String, usize)> = BTreeMap::new();
    let mut next = 0;
    for xml in files {
        let xml = without_prefix(xml);
        let document = parse_xml(&xml)?;
        for node in document.descendants().filter(|node| node.tag_name().name() == "reg") {
            let name = node.attribute("name").unwrap_or_default().to_ascii_lowercase();
            let bits = node.attribute("bitsize").and_then(|bits| bits.parse::<usize>().ok());
            let bits = bits.filter(|bits| (8..=4096).contains(bits));
            let bits =
                bits.ok_or_else(|| format!("the server's description of register \"{name}\" has no usable size"))?;
            let number = node.attribute("regnum").and_then(|number| number.parse::<usize>().ok()).unwrap_or(next);
            next = number.saturating_add(1);
            found.insert(number, (name, bits.div_ceil(8)));
        }
    }
    let mut offset = 0;
    let in_order = found.into_iter().map(|(number, (name, size))| {
        let register = Register { name, number, offset, size };
        offset += size;
        register
    });
    Ok(in_order.collect())
}

/// QEMU uses the prefix of XInclude without declaring it, which no XML parser takes; gdb does not mind.
fn without_prefix(xml: &str) -> String {
    xml.replace("<xi:include", "<include").replace("</xi:include", "</include")
}

fn parse_xml(xml: &str) -> Result<roxmltree::Document<'_>, String> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(xml, options)
        .map_err(|error| format!("the server's description of its registers is no XML: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a server's words are read; method: QEMU's reply, ours, foreign bytes.
    #[test]
    fn supported() {
        let qemu = Features::parse(b"PacketSize=1000;qXfer:features:read+;vContSupported+;ReverseStep+");
        assert!(qemu.has("qXfer:features:read") && qemu.has("ReverseStep") && !qemu.vendor());
        assert_eq!(qemu.packet_size(), 0x1000);
        assert!(Features::parse(b"PacketSize=4000;qFirstlight+;QStartNoAckMode+").vendor());
        assert!(!Features::parse("qFirstlight-;é;".as_bytes()).vendor());
    }

    /// Goal: registers get offsets in the order of their numbers; method: two files, one number set by hand.
    #[test]
    fn target_description() {
        let top = r#"<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">
            <target><architecture>i386:x86-64</architecture><xi:include href="a.xml"/></target>"#;
        assert_eq!(includes(top), ["a.xml"]);
        let file = r#"<feature name="x"><reg name="rax" bitsize="64"/><reg name="eflags" bitsize="32"/>
            <reg name="CR0" bitsize="64" regnum="60"/><reg name="cr2" bitsize="64"/></feature>"#;
        let registers = registers(&[top.to_owned(), file.to_owned()]).unwrap();
        let told: Vec<_> = registers.iter().map(|r| (r.name.as_str(), r.number, r.offset, r.size)).collect();
        assert_eq!(told, [("rax", 0, 0, 8), ("eflags", 1, 8, 4), ("cr0", 60, 12, 8), ("cr2", 61, 20, 8)]);
    }

    /// Goal: foreign text is an error; method: no XML, no size.
    #[test]
    fn foreign() {
        assert!(registers(&["<reg".to_owned()]).unwrap_err().contains("no XML"));
        assert!(registers(&[r#"<reg name="a"/>"#.to_owned()]).unwrap_err().contains("size"));
    }
}
