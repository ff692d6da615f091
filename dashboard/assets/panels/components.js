import { html, Panel, Empty, Loading, State, loaded } from '../ui.js';
import { topics, now } from '../state.js';
import { ago, dur } from '../format.js';

// Roots are those on which nothing depends; what they need is below them. A circle is shown once.
function lines(by) {
	const all = Object.values(by), needed = new Set(all.flatMap(c => c.depends_on || [])), out = [], seen = new Set();
	const add = (name, depth, path) => {
		const c = by[name], again = seen.has(name);
		out.push({ c: c || { name, state: 'unknown', cause: 'not registered' }, depth, again, key: path + '>' + name });
		seen.add(name);
		if (c && !again) (c.depends_on || []).forEach(d => add(d, depth + 1, path + '>' + name));
	};
	all.filter(c => !needed.has(c.name)).forEach(c => add(c.name, 0, ''));
	all.forEach(c => seen.has(c.name) || add(c.name, 0, ''));
	return out;
}

export default function Components({ full }) {
	const by = topics.components.value || {}, n = Object.keys(by).length;
	return html`<${Panel} id="components" title="Components" wide=${full ? 'w12' : 'w6'} sub=${n ? Object.values(by).filter(c => c.state === 'up').length + ' up of ' + n : ''}>
		${!loaded('components') ? html`<${Loading} />` : !n ? html`<${Empty} title="No components" cmd='reg.Component("binance")'>Name what your program depends on, and its health is shown here:<//>` :
		html`<ul class="tree">${lines(by).map(({ c, depth, again, key }) => html`<li key=${key} class=${again ? 'again' : ''}><span class="indent" style=${{ width: depth * 20 + 'px' }} /><span class="branch">${depth ? '└' : ''}</span><b>${c.name}</b>${c.critical && html`<small class="tag">critical</small>`}<span class="gap" />
			${again ? html`<small>above</small>` : html`<small class="cause" title=${c.cause}>${c.stuck ? 'check is stuck' : c.cause || (c.checked ? 'checked ' + ago(c.checked, now.value) + ' ago, ' + dur(c.took / 1e9) : '')}</small><${State} is=${c.state} />`}</li>`)}</ul>`}<//>`;
}
