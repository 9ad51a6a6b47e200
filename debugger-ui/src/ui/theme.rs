//! Hands the [`super::tokens`] to egui: sizes of text, spacing, frames, and the focus ring.

use super::tokens::{DARK, LECTURE, LIGHT, Tokens};
use crate::preferences::Theme;
use egui::style::{TextCursorStyle, WidgetVisuals};
use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, StrokeKind, TextStyle, Visuals, vec2};

/// The colours of a theme; `system_dark` is what the desktop wants, where it says so.
pub fn tokens(theme: Theme, system_dark: Option<bool>) -> &'static Tokens {
    static DARK_TOKENS: Tokens = DARK;
    static LIGHT_TOKENS: Tokens = LIGHT;
    static LECTURE_TOKENS: Tokens = LECTURE;
    match theme {
        Theme::Dark => &DARK_TOKENS,
        Theme::Light => &LIGHT_TOKENS,
        Theme::Lecture => &LECTURE_TOKENS,
        Theme::System if system_dark == Some(false) => &LIGHT_TOKENS,
        Theme::System => &DARK_TOKENS,
    }
}

/// The face of numbers, code and names of registers.
pub fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// The face of words.
pub fn words(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Hands a theme to egui. `zoom` is the user's text size; the theme's own comes on top.
pub fn install(ctx: &egui::Context, t: &Tokens, zoom: f32) {
    ctx.options_mut(|options| {
        options.zoom_with_keyboard = false; // Our keys do it, within their bounds.
        options.theme_preference = if t.dark { egui::ThemePreference::Dark } else { egui::ThemePreference::Light };
    });
    ctx.set_zoom_factor(zoom * t.scale);
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.text_styles = [
                (TextStyle::Heading, words(17.0)),
                (TextStyle::Body, words(14.5)),
                (TextStyle::Button, words(14.0)),
                (TextStyle::Small, words(12.5)),
                (TextStyle::Monospace, mono(13.0)),
            ]
            .into();
            style.visuals = visuals(t);
            // Nothing moves by itself: no fades, no smooth scrolling.
            style.animation_time = 0.0;
            style.scroll_animation = egui::style::ScrollAnimation::none();
            style.spacing.item_spacing = vec2(6.0, 4.0);
            style.spacing.button_padding = vec2(7.0, 3.0);
            style.spacing.interact_size.y = 22.0;
            style.spacing.menu_margin = Margin::same(6);
            style.interaction.selectable_labels = false;
            style.interaction.tooltip_delay = 0.35;
        });
    }
}

fn visuals(t: &Tokens) -> Visuals {
    let mut v = if t.dark { Visuals::dark() } else { Visuals::light() };
    let corner = CornerRadius::same(4);
    let widget = |fill: Color32, frame: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: t.stroke(1.0, frame),
        corner_radius: corner,
        fg_stroke: t.stroke(1.2, text),
        expansion: 0.0,
    };
    v.widgets.noninteractive = widget(t.panel, t.hairline, t.text);
    v.widgets.inactive = widget(t.raised, t.frame, t.text);
    v.widgets.hovered = widget(t.hover, t.text, t.strong);
    v.widgets.active = widget(t.hover, t.focus, t.strong);
    v.widgets.open = widget(t.hover, t.frame, t.strong);
    v.selection.bg_fill = t.chosen;
    v.selection.stroke = t.stroke(1.2, t.strong);
    v.weak_text_color = Some(t.weak);
    v.hyperlink_color = t.link;
    v.warn_fg_color = t.changed;
    v.error_fg_color = t.fault;
    v.panel_fill = t.panel;
    v.window_fill = t.panel;
    v.window_stroke = t.stroke(1.0, t.frame);
    v.extreme_bg_color = t.sunken;
    v.faint_bg_color = t.raised;
    v.code_bg_color = t.sunken;
    v.window_corner_radius = CornerRadius::same(6);
    v.menu_corner_radius = CornerRadius::same(6);
    v.popup_shadow = Shadow { offset: [0, 4], blur: 12, spread: 0, color: Color32::from_black_alpha(96) };
    v.window_shadow = v.popup_shadow;
    v.text_cursor = TextCursorStyle { stroke: Stroke::new(2.0, t.focus), blink: false, ..v.text_cursor };
    v.disabled_alpha = 0.65;
    v
}

/// Draws the 3 px ring round whatever has the focus. Call it last, once a frame: it works for every widget alike.
pub fn focus_ring(ctx: &egui::Context, t: &Tokens) {
    let Some(id) = ctx.memory(|memory| memory.focused()) else { return };
    let Some(response) = ctx.read_response(id) else { return };
    let rect = response.interact_rect;
    if !rect.is_positive() {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Tooltip, egui::Id::unique("focus-ring"));
    let layer = if response.layer_id.order >= egui::Order::Foreground { layer } else { response.layer_id };
    let painter = egui::Painter::new(ctx.clone(), layer, ctx.content_rect());
    painter.rect_stroke(rect.expand(1.0), CornerRadius::same(4), Stroke::new(3.0, t.focus), StrokeKind::Middle);
}
