// SPDX-License-Identifier: Apache-2.0
#include "timeline.h"

namespace cli {

std::string timeline_page(const std::string &trace_json) {
    // The trace goes into a script element: "</" would end it.
    std::string safe;
    for (size_t i = 0; i < trace_json.size(); ++i) {
        safe += trace_json[i];
        if (trace_json[i] == '<') safe.pop_back(), safe += "\\u003c";
    }
    return R"(<!doctype html><meta charset="utf-8"><title>inlay timeline</title>
<style>body{font:13px system-ui,sans-serif;margin:16px;color:#222}svg{border:1px solid #ccc}h1{font-size:16px}
.k{display:inline-block;width:12px;height:12px;margin:0 4px 0 12px;vertical-align:-2px}</style>
<h1>Who ran in which step</h1><p><span class="k" style="background:#4878cf"></span>prefill
<span class="k" style="background:#6acc65"></span>decode <span class="k" style="background:#d65f5f"></span>other · hover a bar for its tokens</p>
<div id="out"></div><script>const trace=)" + safe + R"(;
const ev=(trace.traceEvents||trace).filter(e=>e.ph==='X');const lanes=[...new Set(ev.map(e=>e.tid))].sort((a,b)=>a-b);
const t0=Math.min(...ev.map(e=>e.ts)),t1=Math.max(...ev.map(e=>e.ts+e.dur)),W=Math.max(900,innerWidth-60),H=18,L=110;
const x=t=>L+(t-t0)/(t1-t0||1)*(W-L-10);let s=`<svg width="${W}" height="${lanes.length*H+40}">`;
lanes.forEach((l,i)=>{s+=`<text x="4" y="${i*H+30}">request ${l}</text><line x1="${L}" x2="${W}" y1="${i*H+34}" y2="${i*H+34}" stroke="#eee"/>`});
const esc=v=>String(v).replace(/[&<>"]/g,c=>'&#'+c.charCodeAt(0)+';');
for(const e of ev){const i=lanes.indexOf(e.tid),c=/prefill/.test(e.name)?'#4878cf':/decode/.test(e.name)?'#6acc65':'#d65f5f';
s+=`<rect x="${x(e.ts)}" y="${i*H+18}" width="${Math.max(0.6,x(e.ts+e.dur)-x(e.ts)-0.3)}" height="${H-4}" fill="${c}"><title>${esc(e.name)} ${(e.dur/1000).toFixed(2)} ms ${esc(JSON.stringify(e.args||{}))}</title></rect>`}
for(let k=0;k<=10;k++){const t=t0+(t1-t0)*k/10;s+=`<text x="${x(t)}" y="12" fill="#888">${((t-t0)/1000).toFixed(0)} ms</text>`}
document.getElementById('out').innerHTML=s+'</svg>';</script>
)";
}

}  // namespace cli
