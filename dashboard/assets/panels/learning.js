import { html, Panel, Table, Empty, State, Behind, loaded } from '../ui.js';
import { useState } from '../vendor/hooks.js';
import { api, list, topics, view, go, now } from '../state.js';
import { mayNot } from '../stop.js';
import { num, pct, dur, ago } from '../format.js';

const ms = ns => dur(ns / 1e9), two = (a, b) => html`${a}<small>${b}</small>`;
// Why the configured policy serves; no word where the model does, or would.
const why = { cold: 'too little is known', fallback: 'forecasts were bad', guard: 'stops did harm', control: 'for comparison', configured: 'odd terms', shared: 'shared model', mixed: 'processes differ' };
const by = r => (r.fallback ? 'fallback' : r.guard ? 'guard' : r.by);
const advice = c => (c.stop ? 'give up' : 'wait ' + ms(c.advised));

const cols = [
	{ key: 'name', label: 'Operation', get: r => r.name, css: 'name', show: r => html`<button type="button" class="plain" aria-pressed=${view.value.policy === r.name} onClick=${() => go({ policy: r.name }, true)}>${r.name}</button>` },
	{ key: 'mode', label: 'Mode', get: r => r.mode, show: r => html`<${State} is=${r.mode === 'active' ? 'up' : 'info'} word=${r.mode} />${r.promotion && html`<small>${r.promotion}</small>`}` },
	{ key: 'by', label: 'Serves', get: by, show: r => (r.mode === 'active' && by(r) === 'model' ? 'the model' : two('as configured', why[by(r)] || 'the model watches')) },
	{ key: 'down', label: 'Believed down', num: true, get: r => r.down, show: r => html`<span class=${r.down > 0.5 ? 'bad' : ''}>${pct(r.down)}</span>${r.down_for ? html`<small>for ${ms(r.down_for)}</small>` : ''}` },
	{ key: 'advice', label: 'Last advice', show: ({ choices: [c] }) => c && two(advice(c), 'configured ' + ms(c.configured)) },
	{ key: 'saved', label: 'Calls given up', num: true, get: r => r.stopped, show: r => num(r.stopped) },
	{ key: 'against', label: 'Retries against advice', num: true, get: r => r.against, show: r => two(num(r.against), 'earned ' + num(r.earned)) },
	{ key: 'score', label: 'Forecast error', num: true, get: r => r.brier, show: r => (r.scored ? two(r.brier.toFixed(3), 'base rate ' + r.base.toFixed(3)) : html`<span class="dim">none yet</span>`) },
];

export default function Learning() {
	const all = list('learning').sort((a, b) => (a.name < b.name ? -1 : 1)), one = topics.learning.value?.[view.value.policy] || all[0];
	return html`<${Panel} id="learning" title="Learning" wide="w12" sub="when a retry pays">
		<${Table} id="learning" label="Learning" cols=${cols} rows=${all} keyOf=${r => r.name} loaded=${loaded('learning')} height=${420}
			empty=${html`<${Empty} title="Nothing learns" cmd="relent policy mode OPERATION shadow --reason WHY">In the mode shadow a learner watches and changes nothing. Set the field adaptive of an operation above, or run<//>`} />
		${one && html`<div class="tuning"><h3>${one.name}</h3>${one.choices.length ? html`<ul class="choices-made">${one.choices.map(c => html`<li class="line"><small>${ago(c.at, now.value)} ago</small><b>${c.stopped ? 'gave up' : 'waits ' + ms(c.waited)}</b><span>${c.text}</span></li>`)}</ul>` : html`<p class="dim">Nothing was to be chosen yet. <${Behind} filter=${'policy:' + one.name}>Events<//></p>`}
			<${Mode} key=${one.name + one.mode} of=${one} /></div>`}<//>`;
}

// The switch changes the mode and leaves what else the field says.
function Mode({ of: r }) {
	const [mode, set] = useState(r.mode), [reason, say] = useState(''), [error, fail] = useState('');
	const p = topics.policies.value?.[r.name] || {}, not = mayNot(), base = p.base?.adaptive ?? '', text = (p.override?.adaptive ?? base).replace(/^\w+/, mode);
	const send = e => {
		e.preventDefault();
		not || mode === r.mode || api('tune', { operation: r.name, version: p.version, fields: { adaptive: text === base ? '' : text }, reason }).then(() => fail(''), x => fail(x.message));
	};
	return html`<form onSubmit=${send}><div class="line"><label class="field"><span>Mode</span><select id="mode" disabled=${!!not} value=${mode} onChange=${e => set(e.target.value)}>${['shadow', 'active', 'off'].map(m => html`<option value=${m}>${m}</option>`)}</select></label>
		<label class="field grow"><span>Reason</span><input id="why-mode" required disabled=${!!not} value=${reason} onInput=${e => say(e.target.value)} /></label>
		<button class="button primary" id="set-mode" aria-disabled=${!!not || mode === r.mode} title=${not}>Set mode</button></div>${error && html`<p class="error" role="alert">${error}</p>`}</form>`;
}
