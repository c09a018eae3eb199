"""The desktop app. It never imports torch: training and prediction live in child processes."""
