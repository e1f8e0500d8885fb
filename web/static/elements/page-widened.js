// @ts-check
import './page-card.js';
