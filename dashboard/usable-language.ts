/*
 * Imported before everything else. A browser in the C locale calls its language `en-US@posix`; Intl refuses that
 * name, and uPlot hands it to Intl while it loads, so that the page would stay blank.
 */
try {
  new Intl.Locale(navigator.language)
} catch {
  const { locale } = new Intl.NumberFormat().resolvedOptions()
  Object.defineProperty(navigator, 'language', { value: locale })
}
