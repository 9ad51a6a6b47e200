//! The window for who hears it, or uses the keyboard alone, or needs large text: names and roles of everything, the
//! lanes as a table, the timeline as a slider, trees, the focus; and nothing overlaps or is cut off at any text size.

#[path = "support/recording.rs"]
mod recording;
#[path = "support/scenes.rs"]
#[expect(dead_code, reason = "shared with tests that use other parts of it")]
mod scenes;

use debugger_ui::command::{Command, Layout, Panel, UiCommand};
use debugger_ui::preferences::{Preferences, Theme, store::Store};
use debugger_ui::ui::keys;
use egui::accesskit::Live;
use egui::{Key, Modifiers, Role, Shape};
use egui_kittest::kittest::{AccessKitNode, NodeT, Queryable};
use recording::NOW;
use scenes::{Window, places, preferences, scenes};

fn usual() -> Window {
    Window::open([1280.0, 800.0], Preferences::default())
}

/// All nodes below this one.
fn nodes<'a>(node: AccessKitNode<'a>, found: &mut Vec<AccessKitNode<'a>>) {
    for child in node.children() {
        found.push(child);
        nodes(child, found);
    }
}

fn all_nodes(window: &Window) -> Vec<AccessKitNode<'_>> {
    let mut found = Vec::new();
    nodes(window.harness.kittest_state().root(), &mut found);
    found
}

fn focusable(node: &AccessKitNode<'_>) -> bool {
    node.data().supports_action(egui::accesskit::Action::Focus)
}

/// Goal: everything that can have the focus has a name and a role, in every scene; method: walk the whole tree of each.
#[test]
fn names_and_roles_everywhere() {
    let mut window = usual();
    let mut wrong = Vec::new();
    for (id, scene) in scenes() {
        window.enter(&scene);
        for node in all_nodes(&window) {
            let name = node.label().unwrap_or_default();
            if focusable(&node) && name.trim().is_empty() {
                wrong.push(format!("{id}: a {:?} without a name at {:?}", node.role(), node.bounding_box()));
            }
            if node.role() == Role::Unknown {
                wrong.push(format!("{id}: {name:?} has the role Unknown"));
            }
        }
        window.leave(&scene);
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Goal: the lanes can be read as a table; method: its rows, and each column's cell of CPU 1.
#[test]
fn lanes_are_a_table() {
    let window = usual();
    let table = window.harness.get_by_role_and_label(Role::Table, "CPUs");
    assert_eq!(table.accesskit_node().data().row_count(), Some(2));
    let mut cells: Vec<String> = Vec::new();
    let mut below = Vec::new();
    nodes(table.accesskit_node(), &mut below);
    for node in below {
        if node.role() == Role::Cell && node.data().row_index() == Some(1) {
            cells.push(node.label().unwrap_or_default());
        }
    }
    assert_eq!(
        cells,
        [
            "activity: running",
            "mode: protected mode, 16-bit",
            "label: tr_enter_32",
            "root: none",
            "last event: CPU 1: real mode -> protected mode, 16-bit"
        ]
    );
}

/// Goal: the timeline is a slider that tells its place in words and goes on and back; method: decrement, and increment.
#[test]
fn timeline_is_a_slider() {
    let mut window = usual();
    let value = |window: &Window| {
        let slider = window.harness.get_by_role_and_label(Role::Slider, "Timeline");
        (slider.accesskit_node().value().unwrap_or_default(), slider.accesskit_node().numeric_value())
    };
    let (words, before) = value(&window);
    assert!(words.contains("step 1 204 352") && words.contains("NOW"), "{words}");
    window.orders.borrow_mut().clear();
    window.harness.get_by_role_and_label(Role::Slider, "Timeline").decrement_accesskit();
    window.harness.run();
    let orders = std::mem::take(&mut *window.orders.borrow_mut());
    let seeks: Vec<u64> = orders
        .iter()
        .filter_map(|order| match order {
            debugger_ui::model::outbox::Order::Move(protocol::request::Request::Seek { position, .. }) => {
                Some(position.0)
            }
            _ => None,
        })
        .collect();
    assert!(matches!(seeks[..], [position] if position < NOW), "it goes back: {orders:?}");
    assert!(before.is_some_and(|before| before > 1.0), "it has a number too: {before:?}");
}

/// Goal: a tree tells level, open or closed, and place; method: the first rows of the page tables.
#[test]
fn trees_tell_their_levels() {
    let mut window = usual();
    window.command(Command::SelectCpu(protocol::CpuId(0)));
    let row = window
        .harness
        .get_by(|node| node.role() == Role::TreeItem && node.label().is_some_and(|name| name.contains("PML4[511]")));
    let data = row.accesskit_node();
    assert_eq!((data.data().level(), data.data().is_expanded()), (Some(1), Some(false)));
    assert_eq!((data.data().position_in_set(), data.data().size_of_set()), (Some(2), Some(2)));
    assert!(data.label().is_some_and(|name| name.ends_with("2 of 2")));
}

/// Goal: what happened is told politely, once, without the focus moving; method: the narrator's node.
#[test]
fn the_narrator_is_a_live_region() {
    let window = usual();
    let live: Vec<String> = all_nodes(&window)
        .iter()
        .filter(|node| node.live() == Live::Polite)
        .filter_map(|node| node.label().or_else(|| node.value()))
        .collect();
    assert!(live.iter().any(|sentence| sentence.contains("PE 0 -> 1")), "{live:?}");
}

/// Goal: a step never takes the focus away; method: step while each control in turn has it.
#[test]
fn focus_survives_a_step() {
    let mut window = usual();
    let ids: Vec<(egui::accesskit::NodeId, String)> = all_nodes(&window)
        .iter()
        .filter(|node| focusable(node) && !node.is_disabled())
        .map(|node| (node.locate().0, node.label().unwrap_or_default()))
        .collect();
    assert!(ids.len() > 40, "only {} controls", ids.len());
    let mut lost = Vec::new();
    for (id, name) in ids {
        let mut request = egui::accesskit::ActionRequest {
            action: egui::accesskit::Action::Focus,
            target_node: id,
            target_tree: egui::accesskit::TreeId::ROOT,
            data: None,
        };
        request.action = egui::accesskit::Action::Focus;
        window.harness.event(egui::Event::AccessKitActionRequest(request));
        window.harness.run();
        window.harness.key_press(Key::F11);
        window.harness.run();
        if window.harness.ctx.memory(|memory| memory.focused()).is_none() {
            lost.push(name);
        }
    }
    assert!(lost.is_empty(), "the focus is lost after a step from {lost:?}");
}

/// Goal: where the focus is can be seen; method: the ring that is painted round the focused button.
#[test]
fn the_focus_has_a_ring() {
    let mut window = usual();
    window.harness.get_by_label("Step CPU 1").focus();
    window.harness.run();
    let button = window.harness.get_by_label("Step CPU 1").rect();
    let focus = window.tokens().focus;
    let ring = window.harness.output().shapes.iter().any(|clipped| match &clipped.shape {
        Shape::Rect(rect) => {
            rect.stroke.color == focus
                && rect.stroke.width >= 3.0
                && rect.rect.contains_rect(button)
                && rect.rect.width() < button.width() + 8.0
        }
        _ => false,
    });
    assert!(ring, "no ring of 3 px round {button:?}");
}

/// Goal: Tab leads on from everywhere, and Ctrl+Tab out of the console; method: Tab from each stop until it is round.
#[test]
fn tab_is_never_trapped() {
    for (id, command) in places() {
        if matches!(command, Command::Ui(UiCommand::GoToField)) {
            continue; // One field over the window: Escape leads out.
        }
        let mut window = usual();
        window.command(command);
        if matches!(id, "go-console" | "go-screen") {
            window.harness.key_press_modifiers(Modifiers::CTRL, Key::Tab);
            window.harness.run();
        }
        let mut before = None;
        for _ in 0..12 {
            window.harness.key_press(Key::Tab);
            window.harness.run();
            let now = window.harness.ctx.memory(|memory| memory.focused());
            assert!(now.is_some() && now != before, "{id}: Tab stays at {now:?}");
            before = now;
        }
    }
}

/// Goal: commands can have other keys, shown wherever they stand, and a clash is said; method: give "Step CPU" the keys
/// x and then F10 in the settings panel, as a user does.
#[test]
fn keys_are_mapped_by_pressing_them() {
    let mut window = usual();
    window.command(Command::Ui(UiCommand::Preferences));
    let press = |window: &mut Window, name: &str, key: Key| {
        window.harness.get_by_label(name).click_accesskit();
        window.harness.run();
        window.harness.key_press(key);
        window.harness.run();
        window.harness.run();
    };
    press(&mut window, "Key s of Step CPU", Key::X);
    window.orders.borrow_mut().clear();
    window.harness.key_press(Key::S);
    window.harness.run();
    assert!(window.orders.borrow().is_empty(), "s means nothing any more");
    window.harness.key_press(Key::X);
    window.harness.run();
    assert!(!window.orders.borrow().is_empty(), "x steps");
    assert_eq!(keys::hint("step-cpu"), "x");
    press(&mut window, "Key F11 of Step CPU", Key::F10);
    assert!(window.harness.query_all_by_label_contains("F10 already means Over").next().is_some());
    window.harness.get_by_label("Use F10 for Step CPU").click_accesskit();
    window.harness.run();
    window.harness.run();
    assert!(window.harness.query_by_label("Key F10 of Step CPU").is_some());
    assert!(window.harness.query_by_label("Key F10 of Over").is_none(), "Over has lost it");
    press(&mut window, "Key x of Step CPU", Key::Tab);
    assert!(window.harness.query_all_by_label_contains("Tab cannot be a command's key").next().is_some());
    window.harness.key_press(Key::Escape);
    window.harness.run();
    window.harness.get_by_label("Reset Step CPU").click_accesskit();
    window.harness.run();
    window.harness.run();
    assert_eq!(keys::hint("step-cpu"), "s");
}

/// Goal: settings made in the window are there at the next start; method: text size and theme by key and click, a file.
#[test]
fn settings_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.json");
    let open = || {
        let app = debugger_ui::app::App::new(recording::Recording::new(2), debugger_ui::model::Model::default());
        let app = app.remembering(Store::open(Some(file.clone())));
        let builder = egui_kittest::Harness::builder().with_size([1280.0, 800.0]);
        let mut harness =
            builder.build_ui_state(|ui, app: &mut debugger_ui::app::App<recording::Recording>| app.frame(ui), app);
        harness.run();
        harness
    };
    let mut harness = open();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Equals);
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Comma);
    harness.run();
    harness.get_by_role_and_label(Role::RadioButton, "Light").click();
    harness.run();
    let kept = open().state_mut().view_mut().preferences.clone();
    assert_eq!((kept.text_size, kept.theme), (110, Theme::Light));
}

/// Goal: nothing moves by itself with reduced motion, nor without it, but the film; method: egui's own switches, and
/// that the window comes to rest at once after a command.
#[test]
fn nothing_is_animated() {
    let mut window = Window::open([1280.0, 800.0], Preferences { reduced_motion: true, ..Preferences::default() });
    window.harness.ctx.global_style_mut(|style| assert_eq!(style.animation_time, 0.0));
    window.command(Command::Ui(UiCommand::Focus(Panel::Console)));
    assert!(window.harness.try_run().is_ok_and(|frames| frames <= 2), "it comes to rest");
}

/// Goal: Ctrl+F finds a row that is out of view; method: in the code, which has more rows than this window shows.
#[test]
fn find_in_a_list() {
    let mut window = Window::open([1280.0, 420.0], Preferences::default());
    window.command(Command::Ui(UiCommand::Focus(Panel::Code)));
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::F);
    window.harness.run();
    window.harness.run();
    window.harness.event(egui::Event::Text("wbinvd".to_owned()));
    window.harness.run();
    window.harness.run();
    assert!(window.harness.query_all_by_label_contains("1 of 1: 9a00:1001 wbinvd").next().is_some(), "it is found");
    let row = window
        .harness
        .query_all_by_label_contains("9a00:1001 wbinvd")
        .find(|node| node.accesskit_node().role() == Role::ListItem);
    assert!(row.is_some(), "and brought into view");
    window.harness.key_press(Key::Escape);
    window.harness.run();
    assert!(window.harness.query_by_label("Close find in Code of CPU 1").is_none(), "it closed");
}

/// Goal: to ask for the lesson brings it, also from the layout that has none, and without a lesson does nothing; method:
/// both, in Explore.
#[test]
fn asking_for_the_lesson_brings_it() {
    let mut window = usual();
    let focused = |window: &Window| window.harness.ctx.memory(|memory| memory.focused());
    let before = focused(&window);
    window.command(Command::Ui(UiCommand::Focus(Panel::Lesson)));
    assert!(window.harness.try_run().is_ok_and(|frames| frames <= 2), "it comes to rest");
    assert_eq!(focused(&window), before);
    let question = scenes().into_iter().find(|(id, _)| *id == "question").expect("a scene with a question").1;
    window.enter(&question);
    window.command(Command::Ui(UiCommand::Layout(Layout::Explore)));
    let title = "Where will it wake?, step 7 of 14";
    assert!(window.harness.query_by_label(title).is_none(), "Explore has no lesson");
    window.command(Command::Ui(UiCommand::Focus(Panel::Lesson)));
    assert!(window.harness.query_by_label(title).is_some(), "it is asked for");
}

/// Goal: with large text the lesson does not take the machine's room, it becomes a tab; method: 100 % and 200 %.
#[test]
fn at_200_percent_the_lesson_is_a_tab() {
    let mut window = Window::open([1280.0, 720.0], preferences(Theme::Dark, 100));
    let question = scenes().into_iter().find(|(id, _)| *id == "question").expect("a scene with a question").1;
    window.enter(&question);
    let is_tab = |window: &Window| {
        window.harness.query_by(|node| node.role() == Role::Tab && node.label().as_deref() == Some("Lesson")).is_some()
    };
    assert!(!is_tab(&window), "at 100 % it stands beside the code");
    window.text_size(200);
    assert!(is_tab(&window), "at 200 % it is a tab");
    window.harness.get_by_role_and_label(Role::TextInput, "Your prediction:").focus();
    window.harness.run();
    window.command(Command::Ui(UiCommand::Focus(Panel::Code)));
    assert!(window.harness.query_by_label("Where will it wake?, step 7 of 14").is_none(), "the code has its room");
    window.command(Command::Ui(UiCommand::Focus(Panel::Lesson)));
    assert!(window.harness.query_by_label("Where will it wake?, step 7 of 14").is_some(), "and gives it back");
}
