/* The look of the page: light, dark and on paper. Colours name what they mean; each also has a word beside it. */
#ifndef RB_REPORT_STYLE_H
#define RB_REPORT_STYLE_H

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--ink:#1c2126;--dim:#5d6874;--line:#dfe4e9;--soft:#f5f7f9;"
    "--good:#1a7f4b;--bad:#c0322b;--warn:#9a6200;--look:#5b8def;--act:#1a7f4b;--write:#0b5c34;--wait:#c9a227;--verify:#8e6bd8}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14181c;--ink:#e4e9ee;--dim:#9aa6b2;--line:#2b333b;--soft:#1b2127;"
    "--good:#4cc38a;--bad:#ff7b72;--warn:#e3b341;--look:#6ea1ff;--act:#3fae78;--write:#9be8c1;--wait:#d8b84a;--verify:#b196f0}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:70rem;background:var(--bg);color:var(--ink);"
    "font:15px/1.55 system-ui,-apple-system,'Segoe UI','Noto Sans','Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif}"
    "h1{font-size:1.45rem;line-height:1.3;margin:0 0 .6rem;overflow-wrap:anywhere}"
    "h2{font-size:1.05rem;margin:2.2rem 0 .6rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}"
    ".result{display:inline-block;margin:0 0 1rem;padding:.15rem .7rem;border-radius:1rem;border:1px solid currentColor;font-weight:600}"
    ".error{margin:0 0 1rem;padding:.6rem .8rem;border-left:3px solid var(--bad);background:var(--soft);overflow-wrap:anywhere}"
    ".good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}"
    "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.7rem 1.5rem;margin:0}"
    "dl div:last-child{grid-column:1/-1}"
    "dt{color:var(--dim);font-size:.82rem}dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}"
    ".scroll{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-size:.92rem}"
    "th{text-align:left;color:var(--dim);font-weight:500;font-size:.82rem;white-space:nowrap}"
    "th,td{padding:.4rem .9rem .4rem 0;vertical-align:top;border-bottom:1px solid var(--line)}"
    "td{overflow-wrap:anywhere;white-space:pre-wrap;min-width:4.5rem}"
    "td:first-child{font-variant-numeric:tabular-nums}"
    ".code{font-family:ui-monospace,'DejaVu Sans Mono','Noto Sans Mono CJK SC',monospace;font-size:.88em}"
    ".below{color:var(--dim);font-size:.92em}.none{color:var(--dim);margin:.3rem 0}"
    "svg{display:block;width:100%;height:auto}"
    "svg text{fill:var(--ink);font:12px system-ui,'Noto Sans','Noto Sans CJK SC',sans-serif}svg .axis{fill:var(--dim);font-size:11px}"
    "svg .grid{stroke:var(--line)}svg .gap{stroke:var(--dim);stroke-dasharray:2 3}"
    "svg .look{fill:var(--look)}svg .act{fill:var(--act)}svg .write{fill:var(--write)}svg .wait{fill:var(--wait)}"
    "svg .verify{fill:var(--verify)}svg .failed{fill:var(--bad)}"
    "@media print{:root{color-scheme:light;--bg:#fff;--ink:#000;--dim:#444;--line:#bbb;--soft:#fff}"
    "body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}tr,figure,svg{break-inside:avoid}"
    ".scroll{overflow:visible}thead{display:table-header-group}}";

#endif
