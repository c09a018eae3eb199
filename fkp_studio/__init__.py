"""The desktop app. It never imports torch: training and prediction run in child processes."""
