//! Page tables: which roots there are, the tree of one (or two), ranges folded, and the walk of one address.
//!
//! [`rows`] makes a tree ready to draw, [`pair`] two beside each other, [`walk`] a walk; both are pure.

pub mod pair;
pub mod rows;
pub mod walk;

use super::cpus::Cpus;
use super::symbols::Symbols;
use protocol::cpu::CpuState;
use protocol::page_table::{PagingKind, PagingMode, Tree, WalkTrace};
use protocol::{CpuId, LinearAddr, PhysAddr};
use std::collections::BTreeSet;

pub use rows::{Range, RowKey, RowKind, TreeRow};
pub use walk::{Walk, WalkBox};

/// A root that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKey {
    /// What the selected CPU uses, whichever that is.
    Selected,
    /// What this CPU uses.
    Cpu(CpuId),
    /// A named root of the profile.
    Named(String),
    /// An address typed in.
    Typed(PhysAddr),
}

/// A root in the list of choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootChoice {
    /// Which.
    pub key: RootKey,
    /// "CPU 1: trampoline_pgd", "init_top_pgt".
    pub label: String,
    /// Its address; None while it is not made or paging is off.
    pub phys: Option<PhysAddr>,
    /// The CPUs that use it now.
    pub used_by: Vec<CpuId>,
}

/// One root's panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeView {
    /// Which root is shown; None: the selected CPU's.
    pub key: Option<RootKey>,
    /// "init_top_pgt at phys 00345000".
    pub title: String,
    /// The tree as read last.
    pub tree: Option<Tree>,
    /// Open rows.
    pub open: BTreeSet<RowKey>,
    /// Rows as they are to be drawn.
    pub rows: Vec<TreeRow>,
    /// The same, folded to ranges.
    pub ranges: Vec<Range>,
    /// The walk of the address in this root.
    pub walk: Option<Walk>,
    /// Why there is no tree: "CPU 1 does not page: CR0.PG is 0, a linear address is the physical one."
    pub empty: Option<String>,
}

/// The page-table panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTables {
    /// The panel is shown: only then trees are read.
    pub shown: bool,
    /// What can be chosen.
    pub roots: Vec<RootChoice>,
    /// One or two roots side by side.
    pub views: Vec<TreeView>,
    /// Two roots by ranges, row by row; empty where there are not two trees.
    pub pairs: Vec<pair::PairRow>,
    /// The address typed in for the walk; empty: the selected CPU's next instruction.
    pub walk_text: String,
    /// The address walked, where one was typed.
    pub walk_linear: Option<LinearAddr>,
    /// What is wrong with the text.
    pub walk_error: Option<String>,
    /// How the selected CPU translates.
    pub mode: PagingMode,
}

impl Default for PageTables {
    fn default() -> Self {
        Self {
            shown: false,
            roots: Vec::new(),
            views: vec![TreeView::default()],
            pairs: Vec::new(),
            walk_text: String::new(),
            walk_linear: None,
            walk_error: None,
            mode: PagingMode::default(),
        }
    }
}

impl PageTables {
    /// Makes the list of roots anew and the views' titles.
    pub(crate) fn choose_roots(&mut self, cpus: &Cpus, symbols: &Symbols) {
        self.mode = cpus.selected().map(paging_mode).unwrap_or_default();
        let users = |phys: PhysAddr| -> Vec<CpuId> {
            let users = cpus.states.iter().filter(|cpu| cpu.page_table_root() == Some(phys));
            users.map(|cpu| cpu.cpu).collect()
        };
        self.roots.clear();
        if let Some(cpu) = cpus.selected() {
            let phys = cpu.page_table_root();
            let label = format!("{} now: {}", cpu.cpu, root_words(phys, symbols));
            self.roots.push(RootChoice {
                key: RootKey::Selected,
                label,
                phys,
                used_by: phys.map(users).unwrap_or_default(),
            });
        }
        for root in symbols.profile.iter().flat_map(|profile| &profile.roots) {
            let phys = symbols.root_named(&root.name);
            let label = if phys.is_some() { root.name.clone() } else { format!("{} (not made yet)", root.name) };
            let used_by = phys.map(users).unwrap_or_default();
            self.roots.push(RootChoice { key: RootKey::Named(root.name.clone()), label, phys, used_by });
        }
        for cpu in &cpus.states {
            let phys = cpu.page_table_root();
            let label = format!("{}: {}", cpu.cpu, root_words(phys, symbols));
            self.roots.push(RootChoice { key: RootKey::Cpu(cpu.cpu), label, phys, used_by: vec![cpu.cpu] });
        }
        for view in &mut self.views {
            view.title = title(view.key.as_ref(), cpus, symbols);
        }
    }

    pub(crate) fn take_tree(&mut self, view: usize, tree: Tree) {
        let Some(slot) = self.views.get_mut(view) else { return };
        slot.empty = match tree.mode.kind {
            PagingKind::Off => Some("Paging is off: CR0.PG is 0, a linear address is the physical one.".to_owned()),
            _ if tree.tables.is_empty() => {
                Some(format!("There is no memory at {}, where the root should be.", tree.root))
            }
            _ => None,
        };
        slot.tree = Some(tree);
        self.arrange();
    }

    pub(crate) fn take_walk(&mut self, view: usize, trace: WalkTrace, symbols: &Symbols) {
        let Some(slot) = self.views.get_mut(view) else { return };
        slot.walk = Some(walk::walk(trace, symbols));
        self.arrange();
    }

    /// There is no tree to show in a view, and why.
    pub(crate) fn clear(&mut self, view: usize, why: String) {
        if let Some(slot) = self.views.get_mut(view) {
            let (key, open) = (slot.key.take(), std::mem::take(&mut slot.open));
            *slot =
                TreeView { key, open, title: std::mem::take(&mut slot.title), empty: Some(why), ..TreeView::default() };
        }
        self.arrange();
    }

    /// Makes the rows of all views anew from their trees, walks and open rows.
    pub(crate) fn arrange(&mut self) {
        self.pairs = match &self.views[..] {
            [TreeView { tree: Some(left), walk, .. }, TreeView { tree: Some(right), .. }, ..] => {
                pair::pairs(left, right, walk.as_ref().map(|walk| walk.trace.linear))
            }
            _ => Vec::new(),
        };
        let tables: Vec<BTreeSet<u64>> = self.views.iter().map(|view| rows::tables_of(view.tree.as_ref())).collect();
        for (at, view) in self.views.iter_mut().enumerate() {
            let shared = tables.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, tables)| tables).next();
            let walked = view.walk.as_ref().map(|walk| walk.trace.linear);
            (view.rows, view.ranges) = match &view.tree {
                Some(tree) => (rows::rows(tree, &view.open, walked, shared), rows::ranges(tree, walked, shared)),
                None => (Vec::new(), Vec::new()),
            };
        }
    }
}

/// How a CPU translates, from CR0, CR4 and EFER (SDM 3A 4.1.1).
pub fn paging_mode(cpu: &CpuState) -> PagingMode {
    let bit = |value: u64, at: u8| value >> at & 1 != 0;
    let (pg, wp) = (bit(cpu.cr0, 31), bit(cpu.cr0, 16));
    let (pse, pae, la57) = (bit(cpu.cr4, 4), bit(cpu.cr4, 5), bit(cpu.cr4, 12));
    let (lma, nxe) = (bit(cpu.efer, 10), bit(cpu.efer, 11));
    let kind = match (pg, pae, lma, la57) {
        (false, ..) => PagingKind::Off,
        (true, false, ..) => PagingKind::Bits32,
        (true, true, false, _) => PagingKind::Pae,
        (true, true, true, false) => PagingKind::Level4,
        (true, true, true, true) => PagingKind::Level5,
    };
    PagingMode { kind, nxe, wp, pse }
}

/// How a root that no CPU uses is read: as the first CPU that pages in 4 or 5 levels does, else as 4 levels with NX.
pub(crate) fn paging_mode_for_named(cpus: &Cpus) -> PagingMode {
    let long = |mode: &PagingMode| matches!(mode.kind, PagingKind::Level4 | PagingKind::Level5);
    let used = cpus.states.iter().map(paging_mode).find(long);
    used.unwrap_or(PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false })
}

/// A root in a word: its name, its address, or "none" while paging is off.
pub fn root_words(phys: Option<PhysAddr>, symbols: &Symbols) -> String {
    match phys {
        None => "none".to_owned(),
        Some(phys) => symbols.root_name(phys).map_or_else(|| phys.to_string(), str::to_owned),
    }
}

fn title(key: Option<&RootKey>, cpus: &Cpus, symbols: &Symbols) -> String {
    let at = |name: &str, phys: Option<PhysAddr>| match phys {
        Some(phys) => format!("{name} at phys {phys}"),
        None => name.to_owned(),
    };
    match key {
        None | Some(RootKey::Selected) => {
            let phys = cpus.selected().and_then(CpuState::page_table_root);
            at(&format!("{}: {}", cpus.selected, root_words(phys, symbols)), phys)
        }
        Some(RootKey::Cpu(cpu)) => {
            let phys = cpus.get(*cpu).and_then(CpuState::page_table_root);
            at(&format!("{cpu}: {}", root_words(phys, symbols)), phys)
        }
        Some(RootKey::Named(name)) => at(name, symbols.root_named(name)),
        Some(RootKey::Typed(phys)) => at("root", Some(*phys)),
    }
}
