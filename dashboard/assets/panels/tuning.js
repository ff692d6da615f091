import { html, Panel, Empty, Loading, Button, loaded } from '../ui.js';
import { useState } from '../vendor/hooks.js';
import { api, list, topics, view, go } from '../state.js';
import { mayNot } from '../stop.js';

export default function Tuning() {
	const all = list('policies').sort((a, b) => (a.name < b.name ? -1 : 1)), name = view.value.policy || all[0]?.name, row = topics.policies.value?.[name];
	return html`<${Panel} id="tuning" title="Tuning" wide="w12" sub=${row ? row.policy : ''}>${!loaded('policies') ? html`<${Loading} />` : !row ?
		html`<${Empty} title=${name ? 'No operation ' + name : 'No operations'} cmd="relent demo">Operations of the control registry can be tuned while they run. To see some, run<//>` : html`<div class="tuning">
		<label class="field"><span>Operation</span><select value=${name} onChange=${e => go({ policy: e.target.value })}>${all.map(r => html`<option value=${r.name}>${r.name}</option>`)}</select></label>
		<${Form} key=${name + row.version} row=${row} /></div>`}<//>`;
}

function Form({ row }) {
	const [edit, change] = useState({}), [why, explain] = useState(''), [sure, review] = useState(false), [error, fail] = useState(''), [busy, work] = useState(false);
	const base = row.base || {}, over = row.override || {}, fields = Object.keys({ ...base, ...over }).sort();
	if (!fields.length) return html`<${Empty} title="Not tunable">The source gives no fields for ${row.name}.<//>`;
	const diff = fields.filter(f => f in edit && edit[f] !== (over[f] ?? ''));
	const not = mayNot();
	const send = async () => {
		if (busy) return;
		work(true);
		try {
			await api('tune', { operation: row.name, version: row.version, fields: Object.fromEntries(diff.map(f => [f, edit[f]])), reason: why });
			review(false); change({}); fail('');
		} catch (e) { fail(e.message); }
		work(false);
	};
	return html`<form onSubmit=${e => { e.preventDefault(); diff.length && !not && review(true); }}><div class="scroll"><table><thead><tr><th scope="col">Field</th><th scope="col">Base</th><th scope="col">Override</th><th scope="col">In force</th><th /></tr></thead><tbody>
		${fields.map(f => html`<tr key=${f} class=${diff.includes(f) ? 'changed' : ''}><td class="name">${f}</td><td class="mono">${base[f] ?? ''}</td><td><input class="mono" aria-label=${'Override of ' + f} disabled=${!!not} placeholder="as base" value=${edit[f] ?? over[f] ?? ''} onInput=${e => change({ ...edit, [f]: e.target.value })} /></td>
			<td class="mono">${over[f] ?? base[f]}</td><td>${(edit[f] ?? over[f]) ? html`<${Button} kind="quiet" aria-disabled=${!!not} label=${'Revert ' + f} onClick=${() => not || change({ ...edit, [f]: '' })}>Revert<//>` : ''}</td></tr>`)}</tbody></table></div>
		${sure && html`<div class="diff" role="region" aria-label="Changes">${diff.map(f => html`<p class="mono"><b>${f}</b> <del>${over[f] ?? base[f]}</del> → <ins>${edit[f] || base[f] + ' (base)'}</ins></p>`)}</div>`}
		${error && html`<p class="error" role="alert">${error}</p>`}
		<div class="line"><label class="field grow"><span>Reason</span><input required disabled=${!!not} value=${why} onInput=${e => explain(e.target.value)} /></label>
			${sure ? html`<${Button} onClick=${() => review(false)}>Back<//><${Button} kind="primary" id="apply" onClick=${send}>${busy ? 'Applying…' : 'Apply ' + diff.length + (diff.length > 1 ? ' changes' : ' change')}<//>` :
				html`<button class="button primary" aria-disabled=${!diff.length || !!not} title=${not || ''}>Review changes</button>`}</div></form>`;
}
