"""The looks of the page: fonts of the system, one accent colour, the style sheet."""

from pathlib import Path

from gradio.themes import Base, Color, colors, sizes

ACCENT = Color(
    name="accent",
    c50="#eef4fb",
    c100="#d9e6f4",
    c200="#b4cde8",
    c300="#86acd6",
    c400="#5a8ac0",
    c500="#3f6fa3",
    c600="#345d8a",
    c700="#2b4c71",
    c800="#223c59",
    c900="#1a2d42",
    c950="#121f2e",
)

STYLE = Path(__file__).with_name("studio.css")


def theme() -> Base:
    """Return the theme; nothing of it is loaded from elsewhere."""
    chosen = Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=colors.gray,
        font=("system-ui", "-apple-system", "Segoe UI", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
        radius_size=sizes.radius_md,
    )
    return chosen.set(
        body_background_fill="#fafaf9",
        body_background_fill_dark="#16181c",
        block_background_fill="white",
        block_background_fill_dark="#1e2126",
        block_border_width="0px",
        block_shadow="none",
        block_label_text_color="*neutral_600",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        border_color_primary="#e4e3e0",
        border_color_primary_dark="#343942",
        input_background_fill="#f5f5f3",
        input_background_fill_dark="#272b32",
        input_border_width="1px",
        input_placeholder_color="*neutral_500",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_500",
        button_primary_text_color="white",
        button_secondary_background_fill="#efeeeb",
        button_secondary_background_fill_hover="#e6e5e1",
        button_secondary_background_fill_dark="#2c3139",
        button_secondary_background_fill_hover_dark="#363c46",
        button_secondary_border_color="transparent",
        slider_color="*primary_500",
        checkbox_background_color_selected="*primary_500",
        checkbox_border_color_selected="*primary_500",
    )
