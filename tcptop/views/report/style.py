"""How the page looks: by the reader's setting light or dark, at any width, and on paper."""

STYLE = """
:root{--bg:#fff;--fg:#1d2327;--dim:#5c6670;--line:#d9dee3;--soft:#f4f6f8;--mark:#c2410c1a;
--critical:#c02626;--warning:#b45309;--info:#2563a8;
--c0:#2563a8;--c1:#c2571a;--c2:#2e7d4f;--c3:#8250a8;--c4:#7d6a12}
@media (prefers-color-scheme:dark){:root{--bg:#14181c;--fg:#dfe4e8;--dim:#97a2ac;--line:#333b43;
--soft:#1d2329;--mark:#fb923c26;--critical:#ff7b72;--warning:#f0a848;--info:#6cb2f5;
--c0:#6cb2f5;--c1:#f0965a;--c2:#6cc792;--c3:#c39be8;--c4:#d3bb55}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:66rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.5rem 0 .75rem;padding-bottom:.25rem;
border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .5rem;overflow-wrap:anywhere}
.lead{font-size:1.1rem;max-width:48rem;overflow-wrap:anywhere}
.dim{color:var(--dim);font-weight:400}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.5rem 1.5rem;
margin:1.25rem 0;padding:.75rem 1rem;background:var(--soft);border-radius:6px}
dt{font-size:.8rem;color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;
font-size:.85em}
code{overflow-wrap:anywhere}
pre{margin:.25rem 0;padding:.6rem .75rem;background:var(--soft);border-radius:6px;
white-space:pre-wrap;overflow-wrap:anywhere}
p{margin:.5rem 0}ul{margin:.5rem 0;padding-left:1.25rem}li{margin:.15rem 0;overflow-wrap:anywhere}
.bars{list-style:none;margin:0;padding:0}
.bars li{margin:.6rem 0}
.bars a{color:inherit;text-decoration:none;font-size:.92rem}.bars a:hover{text-decoration:underline}
.d1{margin-left:1.25rem!important}.d2,.d3{margin-left:2.5rem!important}
.track{position:relative;height:.7rem;margin-top:.2rem;background:var(--soft);border-radius:3px}
.bars .d1 .track{margin-left:-1.25rem}.bars .d2 .track,.bars .d3 .track{margin-left:-2.5rem}
.track i{position:absolute;top:0;bottom:0;background:var(--sev);border-radius:3px;min-width:3px}
.track u{position:absolute;top:0;bottom:0;
background:repeating-linear-gradient(90deg,var(--dim) 0 1px,transparent 1px 5px)}
.track u.boot{top:-2px;bottom:-2px;width:2px;background:var(--fg)}
.critical{--sev:var(--critical)}.warning{--sev:var(--warning)}.info{--sev:var(--info)}
.axis{display:flex;justify-content:space-between;font-size:.75rem;color:var(--dim);
font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));
gap:2rem 2.5rem}
figure{margin:0;min-width:0;break-inside:avoid}
figcaption{font-weight:600;margin-bottom:.5rem;overflow-wrap:anywhere}
.plot{display:flex;height:9rem}
.scale{display:flex;flex-direction:column;justify-content:space-between;align-items:flex-end;
flex:none;width:3.4rem;padding-right:.5rem;margin:-.55em 0;font-size:.75rem;color:var(--dim);
font-variant-numeric:tabular-nums}
figure .axis{padding-left:3.4rem}
svg{flex:1;min-width:0;height:100%;overflow:visible}
svg path{fill:none;vector-effect:non-scaling-stroke;stroke-width:1.75;stroke-linejoin:round;
stroke-linecap:round}
svg .grid{stroke:var(--line);stroke-width:1}
svg .mark{fill:var(--mark)}svg .gap{fill:var(--soft)}
svg .boot{stroke:var(--fg);stroke-width:1;stroke-dasharray:2 3}
svg .limit{stroke:var(--critical);stroke-width:1.25;stroke-dasharray:5 4}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}
.legend b{display:inline-block;width:.9rem;height:.2rem;margin-right:.5rem;vertical-align:middle}
.k0{background:var(--c0)}.k1{background:var(--c1)}.k2{background:var(--c2)}.k3{background:var(--c3)}
.k4{background:var(--c4)}
.legend .kl{height:0;border-top:2px dashed var(--critical)}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;vertical-align:top}
th{color:var(--dim);font-weight:400;border-bottom:1px solid var(--line)}
tbody tr+tr td{border-top:1px solid var(--line)}
.r{text-align:right}
.wide{overflow-x:auto}.wide table{min-width:50%}
.wide td,.wide th{white-space:nowrap}
.wide td.t{white-space:normal;min-width:18rem;max-width:30rem;overflow-wrap:anywhere}
.legend{width:100%;margin-top:.5rem;font-size:.78rem}
.legend td,.legend th{padding:.1rem 0 .1rem .5rem;text-align:right;border:0!important}
.legend td:first-child{text-align:left;padding-left:0;overflow-wrap:anywhere}
article{margin:1rem 0;padding:.25rem 1rem .75rem;border-left:4px solid var(--sev);
background:var(--soft);border-radius:0 6px 6px 0}
article h3{margin:.6rem 0 .25rem}article pre{background:var(--bg)}
.chip{color:var(--sev);text-transform:uppercase;font-size:.75rem;letter-spacing:.04em;
margin-right:.25rem}
footer{margin-top:3rem;color:var(--dim);font-size:.85rem}
@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#f4f6f8;--mark:#c2410c1a;
--critical:#c02626;--warning:#b45309;--info:#2563a8;
--c0:#2563a8;--c1:#c2571a;--c2:#2e7d4f;--c3:#8250a8;--c4:#7d6a12}
body{font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:none;padding:0}.charts{grid-template-columns:1fr 1fr}h2,h3{break-after:avoid}
article,tr{break-inside:avoid}.wide{overflow:visible}.wide table{font-size:7.5pt}}
""".strip().replace("\n", "")
