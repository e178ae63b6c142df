// SPDX-License-Identifier: Apache-2.0
#include "timeline.h"

namespace cli {

namespace {

// Drawn by the page itself from the trace: above, the tokens of each step; below, a lane for each answer.
constexpr const char *kPage = R"html(<!doctype html><html lang="en"><meta charset="utf-8"><title>inlay timeline</title>
<style>
body{font:13px system-ui,sans-serif;margin:20px;color:#222;background:#fff}h1{font-size:18px;margin:0 0 4px}p{margin:4px 0 12px;color:#555}
.k{display:inline-block;width:14px;height:12px;margin:0 5px 0 16px;vertical-align:-1px;border-radius:2px}.k:first-child{margin-left:0}
text{fill:#444;font:12px system-ui,sans-serif}.dim{fill:#888}.prefill{fill:#3b6fb6}.decode{fill:#57b26a}.again{fill:#e08a2e}.wait{fill:#e4e4e4}
.away{fill:none;stroke:#c0392b;stroke-width:1.5;stroke-dasharray:3 3}.grid{stroke:#eee}
</style>
<h1>Who computed when</h1><p id="sum"></p>
<p><span class="k" style="background:#e4e4e4"></span>waits in the queue<span class="k" style="background:#3b6fb6"></span>reads its prompt
<span class="k" style="background:#57b26a"></span>writes its answer<span class="k" style="background:#e08a2e"></span>computes again what was dropped
<span class="k" style="border-top:2px dashed #c0392b;height:0;vertical-align:4px"></span>had to make room for others · a bar is one step; point at it for details</p>
<div id="out"></div>
<script>
const trace=@TRACE@,names=@NAMES@;
const ev=trace.traceEvents.filter(e=>e.ph==='X'&&e.cat!=='step'),steps=trace.traceEvents.filter(e=>e.cat==='step');
const lanes=new Map();
for(const e of ev){const a=e.args,k=a.request*8+a.choice;if(!lanes.has(k))lanes.set(k,{request:a.request,choice:a.choice,bars:[]});lanes.get(k).bars.push(e)}
const list=[...lanes.entries()].sort((x,y)=>x[0]-y[0]).map(x=>x[1]);
const many=new Set(list.filter(l=>l.choice>0).map(l=>l.request));
const t0=Math.min(...ev.map(e=>Math.min(e.ts,e.args.submitted))),t1=Math.max(...ev.map(e=>e.ts+e.dur)),span=t1-t0||1;
const W=Math.max(1000,innerWidth-60),L=130,R=210,TOP=96,H=20,x=t=>L+(t-t0)/span*(W-L-R);
const esc=v=>String(v).replace(/[&<>"]/g,c=>'&#'+c.charCodeAt(0)+';'),ms=t=>t>=1e6?(t/1e6).toFixed(2)+' s':(t/1000).toFixed(t<1e4?2:0)+' ms';
const rect=(c,a,b,y,h,tip)=>`<rect class="${c}" x="${x(a).toFixed(1)}" y="${y}" width="${Math.max(.7,x(b)-x(a)-.4).toFixed(1)}" height="${h}"><title>${esc(tip)}</title></rect>`;
let s='',prefill=0,decode=0,away=0;
// The axis: a round number of milliseconds between lines.
let tick=1000;while(span/tick>12)tick*=String(tick)[0]==='2'?2.5:2;
for(let t=0;t<=span;t+=tick){const X=x(t0+t);s+=`<line class="grid" x1="${X}" x2="${X}" y1="18" y2="${TOP+list.length*H+4}"/><text class="dim" x="${X}" y="12" text-anchor="middle">${t>=1e6||tick>=1e6?t/1e6+' s':t/1000+' ms'}</text>`}
// Tokens of each step.
const per=new Map();for(const e of ev){const p=per.get(e.args.step)||{prefill:0,decode:0};p[e.cat]+=e.args.tokens;per.set(e.args.step,p)}
const most=Math.max(1,...[...per.values()].map(p=>p.prefill+p.decode));
s+=`<text x="4" y="40">tokens a step</text><text class="dim" x="4" y="56">at most ${most}</text>`;
for(const e of steps){const p=per.get(e.args.step);if(!p)continue;const h=60/most,d=p.decode*h,q=p.prefill*h,tip=`step ${e.args.step}: ${p.prefill} prompt and ${p.decode} answer tokens in ${ms(e.dur)}`;
prefill+=p.prefill;decode+=p.decode;if(p.decode)s+=rect('decode',e.ts,e.ts+e.dur,84-d,d,tip);if(p.prefill)s+=rect('prefill',e.ts,e.ts+e.dur,84-d-q,q,tip)}
list.forEach((l,i)=>{const y=TOP+i*H,b=l.bars.sort((p,q)=>p.ts-q.ts);let reached=0,last=null;
const name=(names[l.request-1]??l.request)+(many.has(l.request)?' #'+l.choice:'');
s+=`<text x="4" y="${y+13}">${esc(name.length>18?name.slice(0,17)+'…':name)}</text>`;
if(b[0].ts-b[0].args.submitted>1000&&l.choice===0)s+=rect('wait',b[0].args.submitted,b[0].ts,y+6,6,`${name} waits ${ms(b[0].ts-b[0].args.submitted)}`);
for(const e of b){const a=e.args,again=a.from<reached&&e.cat==='prefill';
if(last&&a.step>last.args.step+1){++away;s+=`<line class="away" x1="${x(last.ts+last.dur)}" x2="${x(e.ts)}" y1="${y+9}" y2="${y+9}"><title>${esc(name)} is away for ${ms(e.ts-last.ts-last.dur)}</title></line>`}
s+=rect(again?'again':e.cat,e.ts,e.ts+e.dur,y+2,H-6,`${name}, step ${a.step}: ${again?'computes again':e.cat==='prefill'?'reads':'writes'} ${a.tokens} token${a.tokens>1?'s':''} from position ${a.from}, ${ms(e.dur)}`);
reached=Math.max(reached,a.from+a.tokens);last=e}
const cached=l.choice===0?b[0].args.from:0,first=b.find(e=>e.cat==='decode')||last;
s+=`<text class="dim" x="${W-R+10}" y="${y+13}">${reached} tokens in ${ms(last.ts+last.dur-b[0].args.submitted)}${cached?`, ${cached} cached`:''}</text>`});
document.getElementById('out').innerHTML=`<svg width="${W}" height="${TOP+list.length*H+10}">${s}</svg>`;
document.getElementById('sum').textContent=`${new Set(list.map(l=>l.request)).size} requests, ${steps.length} steps in ${ms(span)}: ${prefill} tokens of prompts, ${decode} of answers, ${(decode/span*1e6).toFixed(1)} answer tokens/s; ${away} times one made room for another`;
</script>
)html";

// Text that stands in a script element: "</" would end it.
std::string in_script(const std::string &json) {
    std::string out;
    for (char c : json) c == '<' ? out += "\\u003c" : out += c;
    return out;
}

void put(std::string &page, const std::string &mark, const std::string &value) { page.replace(page.find(mark), mark.size(), value); }

}  // namespace

std::string timeline_page(const std::string &trace_json, const std::vector<std::string> &names_json) {
    std::string names = "[";
    for (const std::string &n : names_json) names += (names.size() > 1 ? "," : "") + n;
    std::string page = kPage;
    put(page, "@NAMES@", in_script(names + "]"));
    put(page, "@TRACE@", in_script(trace_json));
    return page;
}

}  // namespace cli
