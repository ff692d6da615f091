// A stacked chart over time on a canvas. A library for it would weigh as much as the rest of the page.
import { useEffect, useRef, useState } from './vendor/hooks.js';
import { html } from './ui.js';
import { clock, num, words } from './format.js';
import { theme } from './state.js';

const height = 220, left = 44, bottom = 22, top_ = 8;

// stack returns the times, and of each series the sum of it and those before it. Pure.
export function stack(points, step, shown) {
	const x = new Float64Array(points.length), rows = shown.map(() => new Float64Array(points.length));
	points.forEach((p, i) => {
		const secs = i ? Math.max(step, (p.t - points[i - 1].t) / 1000) : step;
		let sum = 0;
		x[i] = p.t / 1000;
		shown.forEach((o, j) => (rows[j][i] = sum += p.outcomes[o] / secs));
	});
	return { x, rows };
}

const nice = (span, n) => {
	const raw = span / n, p = 10 ** Math.floor(Math.log10(raw));
	return [1, 2, 5, 10].find(m => m * p >= raw) * p;
};
const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];

function paint(canvas, { x, rows }, shown, min, max, slo) {
	const w = canvas.clientWidth, dpr = devicePixelRatio || 1, c = canvas.getContext('2d'), style = getComputedStyle(canvas), css = n => style.getPropertyValue(n).trim();
	canvas.width = w * dpr;
	canvas.height = height * dpr;
	c.scale(dpr, dpr);
	c.font = '11px ' + style.fontFamily;
	const all = rows.at(-1) || [], peak = all.reduce((a, b) => Math.max(a, b), 0) || 1, step = nice(peak * 1.05, 4), hi = Math.ceil(peak * 1.05 / step) * step;
	const X = t => left + (t - min) / (max - min) * (w - left), Y = v => height - bottom - v / hi * (height - bottom - top_);
	c.fillStyle = css('--dim');
	c.strokeStyle = css('--grid');
	c.textBaseline = 'middle';
	c.textAlign = 'right';
	for (let v = 0; v <= hi * 1.001; v += step) {
		c.fillText(num(v), left - 8, Y(v));
		c.beginPath();
		c.moveTo(left, Math.round(Y(v)) + .5);
		c.lineTo(w, Math.round(Y(v)) + .5);
		c.stroke();
	}
	c.textAlign = 'center';
	const every = seconds.find(s => s >= (max - min) / (w / 110)) || 3600;
	for (let t = Math.ceil(min / every) * every; t <= max; t += every) if (X(t) > left + 24 && X(t) < w - 24) c.fillText(clock(t * 1e3), X(t), height - 8);
	c.save();
	c.beginPath();
	c.rect(left, 0, w - left, height);
	c.clip();
	const path = row => { c.beginPath(); row.forEach((v, i) => c.lineTo(X(x[i]), Y(v))); };
	for (let j = rows.length - 1; x.length && j >= 0; j--) {
		path(rows[j]);
		c.lineTo(X(x.at(-1)), Y(0));
		c.lineTo(X(x[0]), Y(0));
		c.fillStyle = css('--o' + shown[j]);
		c.fill();
	}
	if (slo) {
		path(all.map(v => v * slo));
		c.setLineDash([5, 4]);
		c.strokeStyle = css('--text');
		c.stroke();
	}
	c.restore();
}

export function Chart({ points, step, shown, names, min, max, slo, zoom }) {
	const canvas = useRef(), asked = useRef(0), latest = useRef(), [at, point] = useState(null), [from, drag] = useState(null);
	latest.current = () => paint(canvas.current, stack(points, step, shown), shown, min, max, slo);
	const later = () => (asked.current ||= requestAnimationFrame(() => { asked.current = 0; canvas.current && latest.current(); }));
	useEffect(() => { later(); }, [points, shown.length, min, max, slo, theme.value]);
	useEffect(() => {
		const watch = new ResizeObserver(later);
		watch.observe(canvas.current);
		return () => watch.disconnect();
	}, []);
	const where = e => Math.max(left, e.offsetX), time = px => min + (px - left) / (canvas.current.clientWidth - left) * (max - min);
	const up = e => {
		const to = where(e);
		if (from != null && Math.abs(to - from) > 5) zoom(Math.min(time(from), time(to)), Math.max(time(from), time(to)));
		drag(null);
	};
	const t = at != null && canvas.current && time(at), p = t && points.reduce((a, b) => (Math.abs(b.t / 1e3 - t) < Math.abs(a.t / 1e3 - t) ? b : a));
	return html`<div class="chart" aria-hidden="true"><canvas ref=${canvas} onPointerDown=${e => drag(where(e))} onPointerMove=${e => point(where(e))} onPointerUp=${up} onPointerLeave=${() => { point(null); drag(null); }} />
		${at != null && html`<i class=${from == null ? 'cross' : 'brush'} style=${from == null ? { left: at + 'px' } : { left: Math.min(at, from) + 'px', width: Math.abs(at - from) + 'px' }} />`}
		${!!p && html`<div class="tip" style=${at > canvas.current.clientWidth / 2 ? { right: canvas.current.clientWidth - at + 12 + 'px' } : { left: at + 12 + 'px' }}><b>${clock(p.t)}</b>${shown.filter(o => p.outcomes[o]).map(o => html`<span><i class=${'k' + o} />${words(names[o])}<b>${num(p.outcomes[o] / step)}/s</b></span>`)}</div>`}</div>`;
}
