"""What the readings are called and how sentences state them.

In a phrase `{role}` is the price of a reading's point, `{role_at}` the bar of that point, a value's name its
figure, and `{known}` the bar at whose close the reading became known. Phrases state; they give no advice.
"""

from __future__ import annotations

SWING = {
    "high": (
        "The high of {swing} on {swing_at} is a swing high, confirmed by the {reach} bars after it and known "
        "since the close of {known}.",
        "At the close of {known} the bar of {swing_at} became a swing high at {swing}: {reach} lower highs "
        "on each side.",
    ),
    "low": (
        "The low of {swing} on {swing_at} is a swing low, confirmed by the {reach} bars after it and known "
        "since the close of {known}.",
        "At the close of {known} the bar of {swing_at} became a swing low at {swing}: {reach} higher lows on "
        "each side.",
    ),
}

CANDLES = {
    "doji": ("doji", "the close hardly differs from the open"),
    "hammer": ("hammer", "a small body above a long lower shadow, after a fall"),
    "hanging_man": ("hanging man", "a small body above a long lower shadow, after a rise"),
    "inverted_hammer": ("inverted hammer", "a small body below a long upper shadow, after a fall"),
    "shooting_star": ("shooting star", "a small body below a long upper shadow, after a rise"),
    "marubozu_white": ("white marubozu", "a long rising body almost without shadows"),
    "marubozu_black": ("black marubozu", "a long falling body almost without shadows"),
    "bullish_engulfing": ("bullish engulfing", "a rising body around the falling body before it"),
    "bearish_engulfing": ("bearish engulfing", "a falling body around the rising body before it"),
    "bullish_harami": ("bullish harami", "a small rising body inside the long falling body before it"),
    "bearish_harami": ("bearish harami", "a small falling body inside the long rising body before it"),
    "piercing_line": (
        "piercing line",
        "an open below the previous close and a close above that body's middle",
    ),
    "dark_cloud_cover": (
        "dark cloud cover",
        "an open above the previous close and a close below that body's middle",
    ),
    "morning_star": ("morning star", "a long falling body, a small one below it, and a rising one"),
    "evening_star": ("evening star", "a long rising body, a small one above it, and a falling one"),
    "three_white_soldiers": (
        "three white soldiers",
        "three long rising bodies, each opening within the last",
    ),
    "three_black_crows": ("three black crows", "three long falling bodies, each opening within the last"),
}

TRIANGLES = ("ascending", "descending", "symmetrical")

TITLES = {
    "swing_high": "Swing high",
    "swing_low": "Swing low",
    "break_of_structure_up": "Break of structure upward",
    "break_of_structure_down": "Break of structure downward",
    "change_of_character_up": "Change of character upward",
    "change_of_character_down": "Change of character downward",
    "order_block_bullish": "Bullish order block",
    "order_block_bearish": "Bearish order block",
    "order_block_bullish_tested": "Bullish order block tested",
    "order_block_bearish_tested": "Bearish order block tested",
    "gap_up": "Bullish fair-value gap",
    "gap_down": "Bearish fair-value gap",
    "gap_up_filled": "Bullish fair-value gap filled",
    "gap_down_filled": "Bearish fair-value gap filled",
    "liquidity_sweep_high": "Liquidity sweep of a swing high",
    "liquidity_sweep_low": "Liquidity sweep of a swing low",
    "double_top": "Double top",
    "double_bottom": "Double bottom",
    "head_and_shoulders": "Head and shoulders",
    "inverse_head_and_shoulders": "Inverse head and shoulders",
    "flag_up": "Bull flag",
    "flag_down": "Bear flag",
    "rsi_above": "RSI(14) above 70",
    "rsi_below": "RSI(14) below 30",
    "macd_up": "MACD(12,26,9) above its signal line",
    "macd_down": "MACD(12,26,9) below its signal line",
    "band_above": "Close above the upper Bollinger band (20,2)",
    "band_below": "Close below the lower Bollinger band (20,2)",
    "adx_above": "ADX(14) above 25",
    "vwap_up": "Close above the 20-bar VWAP",
    "vwap_down": "Close below the 20-bar VWAP",
    **{f"candle_{kind}": name.capitalize() for kind, (name, _) in CANDLES.items()},
    **{f"triangle_{kind}_formed": f"{kind.capitalize()} triangle" for kind in TRIANGLES},
    **{f"triangle_{kind}_up": f"{kind.capitalize()} triangle left upward" for kind in TRIANGLES},
    **{f"triangle_{kind}_down": f"{kind.capitalize()} triangle left downward" for kind in TRIANGLES},
    **{
        f"average_{fast}_{slow}_{side}": f"{fast}-bar average {word} the {slow}-bar average"
        for fast, slow in ((20, 50), (50, 200))
        for side, word in (("up", "above"), ("down", "below"))
    },
}


def structure(side: str) -> dict[str, tuple[str, ...]]:
    """The phrases of market structure in one direction."""
    beyond, extreme, block = ("above", "high", "bullish") if side == "up" else ("below", "low", "bearish")
    opposite, against = ("falling", "down") if side == "up" else ("rising", "up")
    return {
        f"break_of_structure_{side}": (
            f"The close of {{close}} on {{known}} is {beyond} the swing {extreme} of {{level}} from "
            f"{{level_at}}: a break of structure.",
            f"Structure broke {side}ward at the close of {{known}}: {{close}}, {beyond} the swing {extreme} "
            f"of {{level}} ({{level_at}}).",
        ),
        f"change_of_character_{side}": (
            f"After a {opposite} structure the close of {{close}} on {{known}} is {beyond} the swing "
            f"{extreme} of {{level}} from {{level_at}}: a change of character.",
            f"Change of character at the close of {{known}}: {{close}} against the swing {extreme} of "
            f"{{level}} ({{level_at}}), the first break {side}ward after breaks {against}ward.",
        ),
        f"order_block_{block}": (
            f"The last bar against the break, {{top_at}}, marks a {block} order block from {{bottom}} to "
            f"{{top}}, known at the close of {{known}}.",
            f"With that break the bar of {{top_at}} ({{bottom}} to {{top}}) became a {block} order block on "
            f"{{known}}.",
        ),
        f"order_block_{block}_tested": (
            f"On {{known}} the price traded at {{touch}}, back in the {block} order block of {{top_at}} "
            f"({{bottom}} to {{top}}) for the first time.",
            f"The {block} order block of {{top_at}}, {{bottom}} to {{top}}, was tested for the first time on "
            f"{{known}}, at {{touch}}.",
        ),
        f"gap_{side}": (
            f"The bars up to {{known}} left a {block} fair-value gap between {{bottom}} ({{bottom_at}}) and "
            f"{{top}} ({{top_at}}).",
            f"A {block} fair-value gap from {{bottom}} ({{bottom_at}}) to {{top}} ({{top_at}}) was complete "
            f"at the close of {{known}}.",
        ),
        f"gap_{side}_filled": (
            f"On {{known}} the price traded through the whole {block} fair-value gap between {{bottom}} of "
            f"{{bottom_at}} and {{top}} of {{top_at}}.",
            f"The {block} fair-value gap from {{bottom}} ({{bottom_at}}) to {{top}} ({{top_at}}) was filled "
            f"on {{known}}.",
        ),
        f"flag_{side}": (
            f"After a move from {{pole_start}} ({{pole_start_at}}) to {{pole_end}} ({{pole_end_at}}) and a "
            f"pause as far as {{deepest}} ({{deepest_at}}), the close of {{close}} on {{known}} completed a "
            f"{'bull' if side == 'up' else 'bear'} flag.",
            f"{'Bull' if side == 'up' else 'Bear'} flag, known at the close of {{known}}: pole "
            f"{{pole_start}} ({{pole_start_at}}) to {{pole_end}} ({{pole_end_at}}), retraced to {{deepest}} "
            f"on {{deepest_at}}, close {{close}}.",
        ),
        f"liquidity_sweep_{extreme}": (
            f"On {{known}} the price reached {{extreme}}, {beyond} the swing {extreme} of {{level}} from "
            f"{{level_at}}, and closed back at {{close}}: a liquidity sweep.",
            f"Liquidity sweep on {{known}}: {{extreme}} against the swing {extreme} of {{level}} "
            f"({{level_at}}), close {{close}}.",
        ),
        f"macd_{side}": (
            f"MACD(12,26,9) crossed {beyond} its signal line at the close of {{known}}: {{macd}} against "
            f"{{signal}}.",
            f"At the close of {{known}} the MACD line ({{macd}}) was {beyond} its signal line ({{signal}}), "
            "which it had not been one bar before.",
        ),
        f"vwap_{side}": (
            f"The close of {{close}} on {{known}} crossed {beyond} the 20-bar VWAP of {{vwap}}.",
            f"At {{close}} the close of {{known}} was {beyond} the 20-bar volume-weighted average price, "
            f"{{vwap}}.",
        ),
        **{
            f"average_{fast}_{slow}_{side}": (
                f"The {fast}-bar average crossed {beyond} the {slow}-bar average at the close of {{known}}: "
                f"{{fast}} against {{slow}}.",
                f"At the close of {{known}} the {fast}-bar moving average stood at {{fast}}, {beyond} the "
                f"{slow}-bar one at {{slow}} for the first time since the last crossing.",
            )
            for fast, slow in ((20, 50), (50, 200))
        },
        **{
            f"triangle_{kind}_{side}": (
                f"The close of {{close}} on {{known}} left the {kind} triangle {side}ward, past its line at "
                f"{{line}}.",
                f"{kind.capitalize()} triangle left {side}ward at the close of {{known}}: {{close}} against "
                f"the line at {{line}}.",
            )
            for kind in TRIANGLES
        },
    }


PHRASES: dict[str, tuple[str, ...]] = {
    "swing_high": SWING["high"],
    "swing_low": SWING["low"],
    **structure("up"),
    **structure("down"),
    "rsi_above": (
        "RSI(14) rose above 70 at the close of {known}, to {rsi}.",
        "At {rsi}, RSI(14) crossed above 70 with the close of {known}.",
    ),
    "rsi_below": (
        "RSI(14) fell below 30 at the close of {known}, to {rsi}.",
        "At {rsi}, RSI(14) crossed below 30 with the close of {known}.",
    ),
    "band_above": (
        "The close of {close} on {known} is above the upper Bollinger band (20,2) at {band}.",
        "At the close of {known}, {close}, the price went above its upper Bollinger band (20,2), {band}.",
    ),
    "band_below": (
        "The close of {close} on {known} is below the lower Bollinger band (20,2) at {band}.",
        "At the close of {known}, {close}, the price went below its lower Bollinger band (20,2), {band}.",
    ),
    "adx_above": (
        "ADX(14) rose above 25 at the close of {known}, to {adx} (+DI {plus}, -DI {minus}).",
        "With +DI at {plus} and -DI at {minus}, ADX(14) crossed 25 at the close of {known}: {adx}.",
    ),
    "double_top": (
        "Highs of {first} ({first_at}) and {second} ({second_at}) with a low of {between} ({between_at}) "
        "between them became a double top when {known} closed at {close}.",
        "Double top, known at the close of {known}: {first} on {first_at}, {second} on {second_at}; the "
        "close of {close} is below the low of {between} from {between_at}.",
    ),
    "double_bottom": (
        "Lows of {first} ({first_at}) and {second} ({second_at}) with a high of {between} ({between_at}) "
        "between them became a double bottom when {known} closed at {close}.",
        "Double bottom, known at the close of {known}: {first} on {first_at}, {second} on {second_at}; the "
        "close of {close} is above the high of {between} from {between_at}.",
    ),
    "head_and_shoulders": (
        "A head and shoulders was completed at the close of {known}: shoulders {left} ({left_at}) and "
        "{right} ({right_at}), head {head} ({head_at}), close {close} below the neckline at {line}.",
        "Left shoulder {left} ({left_at}), head {head} ({head_at}), right shoulder {right} ({right_at}): the "
        "close of {close} on {known} is below the neckline, which stood at {line}.",
    ),
    "inverse_head_and_shoulders": (
        "An inverse head and shoulders was completed at the close of {known}: shoulders {left} ({left_at}) "
        "and {right} ({right_at}), head {head} ({head_at}), close {close} above the neckline at {line}.",
        "Left shoulder {left} ({left_at}), head {head} ({head_at}), right shoulder {right} ({right_at}), all "
        "lows: the close of {close} on {known} is above the neckline, which stood at {line}.",
    ),
    **{
        f"triangle_{kind}_formed": (
            f"{{first_high}} ({{first_high_at}}), {{second_high}} ({{second_high_at}}) above and "
            f"{{first_low}} ({{first_low_at}}), {{second_low}} ({{second_low_at}}) below form {article} "
            f"{kind} triangle, known at the close of {{known}}; its lines stand at {{lower}} and {{upper}}.",
            f"At the close of {{known}} {article} {kind} triangle is complete: highs {{first_high}} "
            f"({{first_high_at}}) and {{second_high}} ({{second_high_at}}), lows {{first_low}} "
            f"({{first_low_at}}) and {{second_low}} ({{second_low_at}}), lines at {{lower}} and {{upper}}.",
        )
        for kind, article in zip(TRIANGLES, ("an", "a", "a"))
    },
    **{
        f"candle_{kind}": (
            f"The bar of {{known}} (open {{open}}, high {{high}}, low {{low}}, close {{close}}) makes the "
            f"pattern called {name}: {shape}.",
            f"{name.capitalize()} at the close of {{known}}, {shape}: open {{open}}, high {{high}}, low "
            f"{{low}}, close {{close}}.",
        )
        for kind, (name, shape) in CANDLES.items()
    },
}
