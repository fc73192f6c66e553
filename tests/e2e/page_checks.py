"""Contrast in a page, and the formulas of its costs."""


def cost(money, volume, months, updates, factor=1.0):
    """Computed here anew: made once, kept, made again and used."""

    def usd(parts):
        return sum(part.quantity * part.price_usd for part in parts) * factor

    monthly_usd = usd(money.per_month) + updates * usd(money.per_update) + volume * usd(money.per_request)
    return usd(money.fixed) + months * monthly_usd


def crossing(first, second, months, updates):
    """Requests a month at which two cost the same, None where they never do: totals are straight lines."""
    gap = [cost(first, v, months, updates) - cost(second, v, months, updates) for v in (0, 1_000_000)]
    if gap[0] == gap[1]:
        return None
    requests = 1_000_000 * gap[0] / (gap[0] - gap[1])
    return requests if requests > 0 else None


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * linear(c[i] / 255), 0);
    const ratio = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const c = rgba(getComputedStyle(e).backgroundColor);
            if (c[3] > 250) return c;
        }
        return [255, 255, 255, 255];
    };
    const own = (e) => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    return [...document.querySelectorAll('body *')].filter(e => own(e) && e.checkVisibility() && !e.disabled
            && !['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(e.tagName)).filter(e => {
        const style = getComputedStyle(e);
        return ratio(rgba(e.closest('svg') ? style.fill : style.color), behind(e)) < 4.5;
    }).map(e => e.outerHTML.slice(0, 140)).slice(0, 5);
}"""
